/* The functions of nanoBragg, replaced according to the environment variable WIDEBRAGG_MODE: ours (those of
   widebragg), theirs (those of the program), or check (both are computed, theirs are returned, and
   differences are reported at exit).

   `replaced.h`, written by weaken.sh, lists the functions of the program. They remain as theirs_NAME. */
#define _POSIX_C_SOURCE 200112L
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replaced.h"
#include "widebragg.h"

/* ---- Mode --------------------------------------------------------------------------------------------- */

static enum { OURS, THEIRS, CHECK } mode;

static void report(void);

/* Runs before main, so that the mode does not change while threads run. */
__attribute__((constructor)) static void read_mode(void) {
    const char *const name = getenv("WIDEBRAGG_MODE");
    if (name == NULL || *name == '\0' || strcmp(name, "ours") == 0) {
        mode = OURS;
    } else if (strcmp(name, "theirs") == 0) {
        mode = THEIRS;
    } else if (strcmp(name, "check") == 0) {
        mode = CHECK;
        if (atexit(report) != 0) {
            fputs("widebragg: the report cannot be registered with atexit\n", stderr);
            _exit(2);
        }
    } else {
        fprintf(stderr, "widebragg: WIDEBRAGG_MODE is '%s'; it can be ours, theirs or check\n", name);
        _exit(2);
    }
    if (mode != CHECK && getenv("WIDEBRAGG_REPORT") != NULL) {
        fputs("widebragg: WIDEBRAGG_REPORT is written in mode check only\n", stderr);
    }
}

/* ---- Statistics of each function ---------------------------------------------------------------------- */

enum function { SINCG, SINC3, ROTATE_AXIS, ROTATE, POLIN3, POLARIZATION_FACTOR, FUNCTIONS };

static const struct {
    const char *name;
    int replaced;
    /* The names of the arguments, with the number of values of each, and of the outputs. */
    struct { const char *name; int values; } arguments[7];
    const char *outputs[11];
} about[FUNCTIONS] = {
#ifdef REPLACED_sincg
#define HAS_SINCG 1
#else
#define HAS_SINCG 0
#endif
#ifdef REPLACED_sinc3
#define HAS_SINC3 1
#else
#define HAS_SINC3 0
#endif
#ifdef REPLACED_rotate_axis
#define HAS_ROTATE_AXIS 1
#else
#define HAS_ROTATE_AXIS 0
#endif
#ifdef REPLACED_rotate
#define HAS_ROTATE 1
#else
#define HAS_ROTATE 0
#endif
#ifdef REPLACED_polin3
#define HAS_POLIN3 1
#else
#define HAS_POLIN3 0
#endif
#ifdef REPLACED_polarization_factor
#define HAS_POLARIZATION_FACTOR 1
#else
#define HAS_POLARIZATION_FACTOR 0
#endif
    {"sincg", HAS_SINCG, {{"x", 1}, {"N", 1}}, {"value"}},
    {"sinc3", HAS_SINC3, {{"x", 1}}, {"value"}},
    {"rotate_axis", HAS_ROTATE_AXIS, {{"v", 3}, {"axis", 3}, {"phi", 1}}, {"newv x", "newv y", "newv z"}},
    {"rotate", HAS_ROTATE, {{"v", 3}, {"phix", 1}, {"phiy", 1}, {"phiz", 1}}, {"newv x", "newv y", "newv z"}},
    {"polin3", HAS_POLIN3,
     {{"x1a", 4}, {"x2a", 4}, {"x3a", 4}, {"x1", 1}, {"x2", 1}, {"x3", 1}, {"ya", 64}}, {"y"}},
    {"polarization_factor", HAS_POLARIZATION_FACTOR,
     {{"kahn_factor", 1}, {"incident", 3}, {"diffracted", 3}, {"axis", 3}},
     {"value", "incident x", "incident y", "incident z", "diffracted x", "diffracted y", "diffracted z", "axis x",
      "axis y", "axis z"}},
};

enum { MOST_ARGUMENTS = 79 };

/* The call in which a difference was largest. */
struct worst {
    double difference, theirs, ours;
    int output;
    double arguments[MOST_ARGUMENTS];
};

struct tally {
    unsigned long long calls;
    /* Calls whose outputs all have the same bits, and calls with an output that is finite in only one. */
    unsigned long long identical, unlike;
    struct worst absolute, relative;
    struct worst first_unlike;
};

/* Statistics of a thread, so that counting needs no lock. They remain when the thread ends. */
struct thread {
    struct tally tallies[FUNCTIONS];
    struct thread *next;
};

static _Atomic(struct thread *) threads;
static __thread struct thread *this_thread;

static struct tally *tally_of(enum function function) {
    if (this_thread == NULL) {
        this_thread = calloc(1, sizeof *this_thread);
        if (this_thread == NULL) {
            fputs("widebragg: no memory to count differences in\n", stderr);
            _exit(2);
        }
        this_thread->next = atomic_load(&threads);
        while (!atomic_compare_exchange_weak(&threads, &this_thread->next, this_thread)) {
        }
    }
    return &this_thread->tallies[function];
}

static void keep(struct worst *worst, double difference, int output, double theirs, double ours,
                 const double *arguments, int count) {
    worst->difference = difference;
    worst->output = output;
    worst->theirs = theirs;
    worst->ours = ours;
    memcpy(worst->arguments, arguments, (size_t)count * sizeof *arguments);
}

/* Compares the outputs of one call. Relative differences are relative to the larger of the two values or, for
   a component of a vector, which may be near 0, to the length of the vector. The vectors start at output
   `vectors`. */
static void compare(enum function function, const double *theirs, const double *ours, int outputs, int vectors,
                    const double *arguments, int count) {
    struct tally *const tally = tally_of(function);
    int identical = 1, unlike = 0, i;
    tally->calls++;
    for (i = 0; i < outputs; i++) {
        const double a = theirs[i], b = ours[i];
        double difference, size;
        if (memcmp(&a, &b, sizeof a) == 0) continue;
        if (isnan(a) && isnan(b)) continue;
        identical = 0;
        difference = fabs(a - b);
        if (!isfinite(difference)) {
            if (tally->unlike == 0 && !unlike) keep(&tally->first_unlike, 0.0, i, a, b, arguments, count);
            unlike = 1;
            continue;
        }
        if (difference > tally->absolute.difference) {
            keep(&tally->absolute, difference, i, a, b, arguments, count);
        }
        size = fmax(fabs(a), fabs(b));
        if (i >= vectors) {
            const double *const v = theirs + i - (i - vectors) % 3;
            size = fmax(size, sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]));
        }
        if (size > 0.0 && difference / size > tally->relative.difference) {
            keep(&tally->relative, difference / size, i, a, b, arguments, count);
        }
    }
    tally->identical += (unsigned)identical;
    tally->unlike += (unsigned)unlike;
}

/* ---- The functions ------------------------------------------------------------------------------------ */

#define NO_VECTOR 99

#if HAS_SINCG
double theirs_sincg(double x, double N);
double sincg(double x, double N);

double sincg(double x, double N) {
    if (mode == OURS) return wb_sincg(x, N);
    {
        const double theirs = theirs_sincg(x, N);
        if (mode == CHECK) {
            const double ours = wb_sincg(x, N), arguments[] = {x, N};
            compare(SINCG, &theirs, &ours, 1, NO_VECTOR, arguments, 2);
        }
        return theirs;
    }
}
#endif

#if HAS_SINC3
double theirs_sinc3(double x);
double sinc3(double x);

double sinc3(double x) {
    if (mode == OURS) return wb_sinc3(x);
    {
        const double theirs = theirs_sinc3(x);
        if (mode == CHECK) {
            const double ours = wb_sinc3(x);
            compare(SINC3, &theirs, &ours, 1, NO_VECTOR, &x, 1);
        }
        return theirs;
    }
}
#endif

/* In check mode, our function runs first, on copies, because theirs may overwrite its arguments. */
#if HAS_ROTATE_AXIS
double *theirs_rotate_axis(double *v, double *newv, double *axis, double phi);
double *rotate_axis(double *v, double *newv, double *axis, double phi);

double *rotate_axis(double *v, double *newv, double *axis, double phi) {
    if (mode == OURS) return wb_rotate_axis(v, newv, axis, phi);
    if (mode == CHECK && v != NULL && newv != NULL && axis != NULL) {
        const double arguments[] = {v[1], v[2], v[3], axis[1], axis[2], axis[3], phi};
        double ours[4], *returned;
        wb_rotate_axis(v, ours, axis, phi);
        returned = theirs_rotate_axis(v, newv, axis, phi);
        compare(ROTATE_AXIS, newv + 1, ours + 1, 3, 0, arguments, 7);
        return returned;
    }
    return theirs_rotate_axis(v, newv, axis, phi);
}
#endif

#if HAS_ROTATE
double *theirs_rotate(double *v, double *newv, double phix, double phiy, double phiz);
double *rotate(double *v, double *newv, double phix, double phiy, double phiz);

double *rotate(double *v, double *newv, double phix, double phiy, double phiz) {
    if (mode == OURS) return wb_rotate(v, newv, phix, phiy, phiz);
    if (mode == CHECK && v != NULL && newv != NULL) {
        const double arguments[] = {v[1], v[2], v[3], phix, phiy, phiz};
        double ours[4], *returned;
        wb_rotate(v, ours, phix, phiy, phiz);
        returned = theirs_rotate(v, newv, phix, phiy, phiz);
        compare(ROTATE, newv + 1, ours + 1, 3, 0, arguments, 6);
        return returned;
    }
    return theirs_rotate(v, newv, phix, phiy, phiz);
}
#endif

#if HAS_POLIN3
void theirs_polin3(double *x1a, double *x2a, double *x3a, double ***ya, double x1, double x2, double x3, double *y);
void polin3(double *x1a, double *x2a, double *x3a, double ***ya, double x1, double x2, double x3, double *y);

void polin3(double *x1a, double *x2a, double *x3a, double ***ya, double x1, double x2, double x3, double *y) {
    double arguments[MOST_ARGUMENTS], *to = arguments, ours = 0.0;
    int i, j, m;
    if (mode == OURS) {
        wb_polin3(x1a, x2a, x3a, ya, x1, x2, x3, y);
        return;
    }
    if (mode == THEIRS || x1a == NULL || x2a == NULL || x3a == NULL || ya == NULL || y == NULL) {
        theirs_polin3(x1a, x2a, x3a, ya, x1, x2, x3, y);
        return;
    }
    for (i = 0; i < 4; i++) *to++ = x1a[i];
    for (i = 0; i < 4; i++) *to++ = x2a[i];
    for (i = 0; i < 4; i++) *to++ = x3a[i];
    *to++ = x1;
    *to++ = x2;
    *to++ = x3;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 4; j++)
            for (m = 0; m < 4; m++) *to++ = ya[i][j][m];
    wb_polin3(x1a, x2a, x3a, ya, x1, x2, x3, &ours);
    theirs_polin3(x1a, x2a, x3a, ya, x1, x2, x3, y);
    compare(POLIN3, y, &ours, 1, NO_VECTOR, arguments, MOST_ARGUMENTS);
}
#endif

#if HAS_POLARIZATION_FACTOR
double theirs_polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis);
double polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis);

double polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis) {
    if (mode == OURS) return wb_polarization_factor(kahn_factor, incident, diffracted, axis);
    if (mode == CHECK && incident != NULL && diffracted != NULL && axis != NULL) {
        double *const vectors[3] = {incident, diffracted, axis};
        double copies[3][4], *copy_of[3], theirs[10], ours[10], arguments[10];
        int i, j;
        arguments[0] = kahn_factor;
        for (i = 0; i < 3; i++) {
            /* Arguments that are the same vector share one copy. */
            for (j = 0; vectors[j] != vectors[i]; j++) {
            }
            copy_of[i] = copies[j];
            memcpy(copies[i], vectors[i], sizeof copies[i]);
            memcpy(arguments + 1 + 3 * i, vectors[i] + 1, 3 * sizeof **copies);
        }
        ours[0] = wb_polarization_factor(kahn_factor, copy_of[0], copy_of[1], copy_of[2]);
        theirs[0] = theirs_polarization_factor(kahn_factor, incident, diffracted, axis);
        for (i = 0; i < 3; i++) {
            memcpy(theirs + 1 + 3 * i, vectors[i] + 1, 3 * sizeof *theirs);
            memcpy(ours + 1 + 3 * i, copy_of[i] + 1, 3 * sizeof *ours);
        }
        compare(POLARIZATION_FACTOR, theirs, ours, 10, 1, arguments, 10);
        return theirs[0];
    }
    return theirs_polarization_factor(kahn_factor, incident, diffracted, axis);
}
#endif

/* ---- Report ------------------------------------------------------------------------------------------- */

static void add(struct tally *sum, const struct tally *tally) {
    if (sum->unlike == 0) sum->first_unlike = tally->first_unlike;
    sum->calls += tally->calls;
    sum->identical += tally->identical;
    sum->unlike += tally->unlike;
    if (tally->absolute.difference > sum->absolute.difference) sum->absolute = tally->absolute;
    if (tally->relative.difference > sum->relative.difference) sum->relative = tally->relative;
}

static void table_worst(enum function function, const char *what, const struct worst *worst) {
    const double *value = worst->arguments;
    int i, j;
    fprintf(stderr, "  %s, %s: %s is %.17g, ours %.17g, at", about[function].name, what,
            about[function].outputs[worst->output], worst->theirs, worst->ours);
    for (i = 0; i < 7 && about[function].arguments[i].name != NULL; i++) {
        const int values = about[function].arguments[i].values;
        fprintf(stderr, " %s", about[function].arguments[i].name);
        if (values > 4) {
            fputs("[see WIDEBRAGG_REPORT]", stderr);
        } else {
            for (j = 0; j < values; j++) fprintf(stderr, "%c%.17g", j == 0 ? '=' : ',', value[j]);
        }
        value += values;
    }
    fputc('\n', stderr);
}

static void table(const struct tally *sums) {
    int f;
    fputs("widebragg check: theirs were used, ours compared\n", stderr);
    fprintf(stderr, "%-20s %12s %12s %8s %12s %12s\n", "function", "calls", "identical", "unlike", "largest abs.",
            "largest rel.");
    for (f = 0; f < FUNCTIONS; f++) {
        if (about[f].replaced) {
            fprintf(stderr, "%-20s %12llu %12llu %8llu %12.3g %12.3g\n", about[f].name, sums[f].calls,
                    sums[f].identical, sums[f].unlike, sums[f].absolute.difference, sums[f].relative.difference);
        } else {
            fprintf(stderr, "%-20s not replaced\n", about[f].name);
        }
    }
    for (f = 0; f < FUNCTIONS; f++) {
        if (sums[f].absolute.difference > 0.0) table_worst((enum function)f, "largest absolute", &sums[f].absolute);
        if (sums[f].relative.difference > 0.0) table_worst((enum function)f, "largest relative", &sums[f].relative);
        if (sums[f].unlike > 0) table_worst((enum function)f, "first unlike", &sums[f].first_unlike);
    }
}

/* JSON has no NaN and no infinity. */
static void json_number(FILE *file, double x) {
    if (isfinite(x)) {
        fprintf(file, "%.17g", x);
    } else {
        fputs(isnan(x) ? "\"nan\"" : x > 0.0 ? "\"inf\"" : "\"-inf\"", file);
    }
}

static void json_worst(FILE *file, enum function function, const char *key, const struct worst *worst, int there) {
    const double *value = worst->arguments;
    int i, j;
    fprintf(file, ",\n      \"%s\": ", key);
    if (!there) {
        fputs("null", file);
        return;
    }
    fputs("{\"difference\": ", file);
    json_number(file, worst->difference);
    fprintf(file, ", \"output\": \"%s\", \"theirs\": ", about[function].outputs[worst->output]);
    json_number(file, worst->theirs);
    fputs(", \"ours\": ", file);
    json_number(file, worst->ours);
    fputs(", \"arguments\": {", file);
    for (i = 0; i < 7 && about[function].arguments[i].name != NULL; i++) {
        const int values = about[function].arguments[i].values;
        fprintf(file, "%s\"%s\": %s", i == 0 ? "" : ", ", about[function].arguments[i].name, values > 1 ? "[" : "");
        for (j = 0; j < values; j++) {
            if (j > 0) fputs(", ", file);
            json_number(file, value[j]);
        }
        if (values > 1) fputc(']', file);
        value += values;
    }
    fputs("}}", file);
}

static void json(FILE *file, const struct tally *sums) {
    int f, first = 1;
    fputs("{\n  \"mode\": \"check\",\n  \"functions\": {", file);
    for (f = 0; f < FUNCTIONS; f++) {
        if (!about[f].replaced) continue;
        fprintf(file, "%s\n    \"%s\": {\n      \"calls\": %llu, \"identical\": %llu, \"unlike\": %llu",
                first ? "" : ",", about[f].name, sums[f].calls, sums[f].identical, sums[f].unlike);
        first = 0;
        json_worst(file, (enum function)f, "largest_absolute", &sums[f].absolute, sums[f].absolute.difference > 0.0);
        json_worst(file, (enum function)f, "largest_relative", &sums[f].relative, sums[f].relative.difference > 0.0);
        json_worst(file, (enum function)f, "first_unlike", &sums[f].first_unlike, sums[f].unlike > 0);
        fputs("\n    }", file);
    }
    fputs("\n  },\n  \"not_replaced\": [", file);
    for (f = 0, first = 1; f < FUNCTIONS; f++) {
        if (about[f].replaced) continue;
        fprintf(file, "%s\"%s\"", first ? "" : ", ", about[f].name);
        first = 0;
    }
    fputs("]\n}\n", file);
}

static void report(void) {
    static struct tally sums[FUNCTIONS];
    const char *const path = getenv("WIDEBRAGG_REPORT");
    const struct thread *thread;
    FILE *file;
    int f, failed;
    for (thread = atomic_load(&threads); thread != NULL; thread = thread->next) {
        for (f = 0; f < FUNCTIONS; f++) add(&sums[f], &thread->tallies[f]);
    }
    table(sums);
    if (path == NULL || *path == '\0') return;
    file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "widebragg: the report %s cannot be opened\n", path);
        return;
    }
    json(file, sums);
    failed = ferror(file);
    if (fclose(file) != 0 || failed) fprintf(stderr, "widebragg: the report %s is incomplete\n", path);
}
