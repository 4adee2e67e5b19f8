/* Measures the time per call, in ns, of each scalar function and of the C expression that it replaces, with
   independent arguments. Prints a line for each: name, largest argument, time of the C expression, time of
   our function. */
#define _POSIX_C_SOURCE 199309L
#include <math.h>
#include <stdio.h>
#include <time.h>
#include "widebragg.h"

enum { VALUES = 4096, REPEATS = 100 };

static double x_of[VALUES], y_of[VALUES];
static double cells, sink;
static double axis[4] = {0.0, 0.6, 0.0, 0.8}, node[4] = {-1.0, 0.0, 1.0, 2.0};
static double block[4][4][4], *row_of[4][4], **plane_of[4];

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Not inlined, like the functions of the library. */
#define OUTLINE __attribute__((noinline)) static

OUTLINE double c_sincg(double x, double N) { return x == 0.0 ? N : sin(x * N) / sin(x); }
OUTLINE double c_sinc3(double x) { return x == 0.0 ? 1.0 : 3.0 * (sin(x) / x - cos(x)) / (x * x); }

OUTLINE double *c_rotate_axis(double *v, double *newv, double *u, double phi) {
    const double s = sin(phi), c = cos(phi), x = v[1], y = v[2], z = v[3];
    const double along = (u[1] * x + u[2] * y + u[3] * z) * (1.0 - c);
    newv[1] = u[1] * along + x * c + (u[2] * z - u[3] * y) * s;
    newv[2] = u[2] * along + y * c + (u[3] * x - u[1] * z) * s;
    newv[3] = u[3] * along + z * c + (u[1] * y - u[2] * x) * s;
    return newv;
}

OUTLINE double *c_rotate(double *v, double *newv, double phix, double phiy, double phiz) {
    double x = v[1], y = v[2], z = v[3], t;
    if (phix != 0.0) { t = y * cos(phix) - z * sin(phix); z = y * sin(phix) + z * cos(phix); y = t; }
    if (phiy != 0.0) { t = x * cos(phiy) + z * sin(phiy); z = z * cos(phiy) - x * sin(phiy); x = t; }
    if (phiz != 0.0) { t = x * cos(phiz) - y * sin(phiz); y = x * sin(phiz) + y * cos(phiz); x = t; }
    newv[1] = x; newv[2] = y; newv[3] = z;
    return newv;
}

static double dot(const double *a, const double *b) { return a[1] * b[1] + a[2] * b[2] + a[3] * b[3]; }

static void unit(double *v) {
    const double length = sqrt(dot(v, v));
    v[0] = 1.0; v[1] /= length; v[2] /= length; v[3] /= length;
}

static void cross(const double *a, const double *b, double *out) {
    out[1] = a[2] * b[3] - a[3] * b[2];
    out[2] = a[3] * b[1] - a[1] * b[3];
    out[3] = a[1] * b[2] - a[2] * b[1];
}

OUTLINE double c_polarization_factor(double kahn, double *incident, double *diffracted, double *u) {
    double B[4], E[4], c2, psi;
    unit(incident); unit(diffracted); unit(u);
    c2 = dot(incident, diffracted) * dot(incident, diffracted);
    cross(u, incident, B); unit(B);
    cross(incident, B, E); unit(E);
    psi = -atan2(dot(diffracted, B), dot(diffracted, E));
    return 0.5 * (1.0 + c2 - kahn * cos(2.0 * psi) * (1.0 - c2));
}

static void line(const double *a, const double *f, double x, double *y) {
    *y = (x - a[1]) * (x - a[2]) * (x - a[3]) * f[0] / ((a[0] - a[1]) * (a[0] - a[2]) * (a[0] - a[3]))
       + (x - a[0]) * (x - a[2]) * (x - a[3]) * f[1] / ((a[1] - a[0]) * (a[1] - a[2]) * (a[1] - a[3]))
       + (x - a[0]) * (x - a[1]) * (x - a[3]) * f[2] / ((a[2] - a[0]) * (a[2] - a[1]) * (a[2] - a[3]))
       + (x - a[0]) * (x - a[1]) * (x - a[2]) * f[3] / ((a[3] - a[0]) * (a[3] - a[1]) * (a[3] - a[2]));
}

OUTLINE void c_polin3(double *a, double *b, double *c, double ***ya, double x1, double x2, double x3, double *y) {
    double planes[4], lines[4];
    int i, j;
    for (i = 0; i < 4; i++) {
        for (j = 0; j < 4; j++) line(c, ya[i][j], x3, &lines[j]);
        line(b, lines, x2, &planes[i]);
    }
    line(a, planes, x1, y);
}


#define BEST(best, call)                                                         \
    do {                                                                         \
        const double start = seconds();                                          \
        double taken;                                                            \
        for (i = 0; i < VALUES; i++) { const double x = x_of[i], y = y_of[i]; (void)y; sink += (call); } \
        taken = (seconds() - start) / VALUES * 1e9;                              \
        if (taken < (best)) (best) = taken;                                      \
    } while (0)

/* Times both expressions alternately; the fastest of many rounds counts. */
#define COMPARE(name, c, wb)                                                     \
    do {                                                                         \
        double theirs = 1e9, ours = 1e9;                                         \
        int repeat, i;                                                           \
        for (repeat = 0; repeat < REPEATS; repeat++) { BEST(theirs, c); BEST(ours, wb); } \
        printf("%-22s %6g %7.2f %7.2f\n", name, scale, theirs, ours);            \
    } while (0)

static double v[4] = {0.0, 1.0, 2.0, 3.0}, out[4], i4[4], d4[4], y4;
static double *incident(void) { i4[1] = 1.0; i4[2] = 0.0; i4[3] = 0.0; return i4; }
static double *diffracted(double x, double y) { d4[1] = 1.0; d4[2] = x; d4[3] = y; return d4; }

int main(void) {
    static const double scales[] = {0.1, 3.0, 30.0, 3000.0}, numbers[] = {1.0, 5.0, 36.0, 1000.0, 2.5};
    unsigned s, k, state = 1;
    int i, j, m;
    for (i = 0; i < 4; i++) {
        plane_of[i] = row_of[i];
        for (j = 0; j < 4; j++) {
            row_of[i][j] = block[i][j];
            for (m = 0; m < 4; m++) block[i][j][m] = (double)(7 * i + 5 * j + 3 * m);
        }
    }
    for (s = 0; s < sizeof scales / sizeof *scales; s++) {
        const double scale = scales[s];
        for (i = 0; i < VALUES; i++) {
            state = state * 1664525u + 1013904223u;
            x_of[i] = scale * ((double)state / 2147483648.0 - 1.0);
            state = state * 1664525u + 1013904223u;
            y_of[i] = scale * ((double)state / 2147483648.0 - 1.0);
        }
        for (k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            char name[32];
            cells = numbers[k];
            sprintf(name, "sincg(x,%g)", cells);
            COMPARE(name, c_sincg(x, cells), wb_sincg(x, cells));
        }
        COMPARE("sinc3", c_sinc3(x), wb_sinc3(x));
        COMPARE("rotate_axis", *c_rotate_axis(v, out, axis, x), *wb_rotate_axis(v, out, axis, x));
        COMPARE("rotate", *c_rotate(v, out, x, y, -x), *wb_rotate(v, out, x, y, -x));
        COMPARE("polarization_factor", c_polarization_factor(0.9, incident(), diffracted(x, y), axis),
                wb_polarization_factor(0.9, incident(), diffracted(x, y), axis));
        COMPARE("polin3", (c_polin3(node, node, node, plane_of, 0.3, 0.2, x / scale, &y4), y4),
                (wb_polin3(node, node, node, plane_of, 0.3, 0.2, x / scale, &y4), y4));
    }
    return sink == sink ? 0 : 1;
}
