/* The gradient of a least-squares loss, which compares the image of the demo's crystal with that of a crystal
   whose cell is slightly longer. One pullback gives dL/dp for all parameters p; one pushforward gives the
   derivative of the image by one of them, which is written as floats to demo_gradient.bin. Both are compared
   with central differences, from scenes with changed parameters. The exit status is 0 if all agree to 1e-5.

   cc demo_gradient.c $(pkg-config --cflags --libs widebragg) -lm -o demo_gradient
   ./demo_gradient demo_gradient.bin */
#include "demo_scene.h"

/* The rows that are compared. */
enum { FIRST_ROW = 1200, ROWS = 48 };

typedef struct move {
    const char *name;
    int32_t parameter;
    double step; /* of the differences, in the unit of the parameter */
} move;

static const move moves[] = {
    {"a, x / A", WB_BY_A_X, 2e-4},      {"a, y / A", WB_BY_A_Y, 2e-4},        {"a, z / A", WB_BY_A_Z, 2e-4},
    {"b, x / A", WB_BY_B_X, 2e-4},      {"b, y / A", WB_BY_B_Y, 2e-4},        {"b, z / A", WB_BY_B_Z, 2e-4},
    {"c, x / A", WB_BY_C_X, 2e-4},      {"c, y / A", WB_BY_C_Y, 2e-4},        {"c, z / A", WB_BY_C_Z, 2e-4},
    {"phi0 / rad", WB_BY_PHI0, 1e-5},   {"osc / rad", WB_BY_OSC, 1e-5},       {"wavelength / m", WB_BY_WAVELENGTH, 1e-15},
};
/* PUSHED is the parameter of the pushforward. */
enum { MOVES = sizeof moves / sizeof moves[0], PUSHED = 10 };

/* The images that are compared, all of the same size, and the derivatives. */
typedef struct gradient {
    size_t pixels;
    double *target;      /* the image of the longer cell */
    double *image;       /* the image of the demo's crystal, then of changed parameters */
    double *weights;     /* dL/dI */
    double *pushed;      /* dI/dp of the parameter PUSHED, from the pushforward */
    double *differences; /* the same from differences */
    wb_variables directions[MOVES], sums;
} gradient;

static double *pixels_of(size_t pixels) {
    double *image = (double *)calloc(pixels, sizeof *image);
    if (image == NULL) exit(1);
    return image;
}

/* Returns the parameters with one of them changed by `by`. */
static wb_scene_parameters moved(const wb_scene_parameters *parameters, int32_t parameter, double by) {
    wb_scene_parameters p = *parameters;
    if (parameter <= WB_BY_C_Z) {
        p.direct_m[parameter - WB_BY_A_X] += 1e-10 * by;
    } else if (parameter == WB_BY_PHI0) {
        p.phi0_rad += by;
    } else if (parameter == WB_BY_OSC) {
        p.phi_step_rad += by / (double)p.phi_steps;
    } else {
        p.lambda0_m += by;
    }
    return p;
}

/* Renders the rows of the scene of the parameters. */
static void render(const wb_scene_parameters *parameters, double *image, size_t pixels) {
    demo held;
    demo_make(parameters, &held);
    demo_must(wb_render_rows_f64(held.scene, FIRST_ROW, ROWS, image, pixels, NULL), NULL);
    free(held.scene_memory);
}

static double loss(const gradient *g) {
    double sum = 0.0;
    size_t i;
    for (i = 0; i < g->pixels; i++) sum += 0.5 * (g->image[i] - g->target[i]) * (g->image[i] - g->target[i]);
    return sum;
}

/* Renders both images, and computes the weights of the pullback. */
static void render_images(const wb_scene_parameters *start, gradient *g) {
    wb_scene_parameters longer = *start;
    size_t i;
    for (i = 0; i < 9; i++) longer.direct_m[i] *= 1.0002;
    render(&longer, g->target, g->pixels);
    render(start, g->image, g->pixels);
    for (i = 0; i < g->pixels; i++) g->weights[i] = g->image[i] - g->target[i];
    printf("loss %.9g over %lu pixels\n", loss(g), (unsigned long)g->pixels);
}

/* Computes the derivatives. The directions determine which derivatives are wanted, and these how much memory
   is needed. */
static void differentiate(const wb_scene *scene, const wb_scene_parameters *start, gradient *g) {
    wb_turns *turns;
    wb_error error;
    void *whole, *memory;
    uint64_t wanted;
    size_t bytes;
    int m;
    for (m = 0; m < MOVES; m++) {
        demo_must(wb_direction(start, moves[m].parameter, &g->directions[m], &error), &error);
    }
    demo_must(wb_wanted_along(g->directions, MOVES, &wanted), NULL);
    demo_must(wb_turns_size(scene, wanted, &bytes), NULL);
    memory = demo_memory(bytes, &whole);
    demo_must(wb_turns_make(scene, wanted, memory, bytes, &turns), NULL);
    memset(&g->sums, 0, sizeof g->sums);
    demo_must(wb_pullback_rows(scene, turns, FIRST_ROW, ROWS, g->weights, g->pixels, &g->sums, NULL, 0, NULL, &error),
              &error);
    demo_must(wb_pushforward_rows(scene, turns, FIRST_ROW, ROWS, &g->directions[PUSHED], 1, g->pushed, g->pixels, NULL,
                                  &error),
              &error);
    free(whole);
}

/* dL/dp from differences D of two steps h and h/2, extrapolated to a step of 0: (4 D(h/2) - D(h))/3. Also
   adds dI/dp to g->differences if the parameter is that of the pushforward. */
static double difference(const wb_scene_parameters *start, int m, gradient *g) {
    double sum = 0.0;
    size_t i;
    int k;
    for (k = 0; k < 4; k++) {
        const double step = (k < 2 ? 1.0 : 0.5) * moves[m].step, sign = k % 2 == 0 ? 1.0 : -1.0;
        const double factor = sign * (k < 2 ? -1.0 : 4.0) / 3.0 / (2.0 * step);
        const wb_scene_parameters p = moved(start, moves[m].parameter, sign * step);
        render(&p, g->image, g->pixels);
        sum += factor * loss(g);
        for (i = 0; m == PUSHED && i < g->pixels; i++) g->differences[i] += factor * g->image[i];
    }
    return sum;
}

/* Compares the pullback with differences; returns how many parameters disagree. */
static int compare_pullback(const wb_scene_parameters *start, gradient *g) {
    int m, wrong = 0;
    printf("%-16s%22s%22s%12s\n", "parameter", "pullback", "differences", "relative");
    for (m = 0; m < MOVES; m++) {
        const double found = wb_dot(&g->sums, &g->directions[m]), expected = difference(start, m, g);
        const double relative = fabs(found - expected) / fabs(expected);
        wrong += !(relative < 1e-5);
        printf("%-16s%22.12g%22.12g%12.1e\n", moves[m].name, found, expected, relative);
    }
    return wrong;
}

/* Compares the pushforward with differences and with the pullback; returns how many of the two disagree. */
static int compare_pushforward(const gradient *g) {
    double along = 0.0, largest = 0.0, off = 0.0;
    size_t i;
    for (i = 0; i < g->pixels; i++) {
        along += g->weights[i] * g->pushed[i];
        largest = fmax(largest, fabs(g->differences[i]));
        off = fmax(off, fabs(g->pushed[i] - g->differences[i]));
    }
    along = fabs(along / wb_dot(&g->sums, &g->directions[PUSHED]) - 1.0);
    printf("pushforward along %s: pixels within %.1e of the largest, dL/dp within %.1e\n", moves[PUSHED].name,
           off / largest, along);
    return !(off < 1e-5 * largest) + !(along < 1e-5);
}

/* Writes an image as floats. Returns 0 if it succeeds. */
static int write_floats(const char *path, const double *image, size_t pixels) {
    float *floats = (float *)malloc(pixels * sizeof *floats);
    size_t i;
    int failed;
    if (floats == NULL) return 1;
    for (i = 0; i < pixels; i++) floats[i] = (float)image[i];
    failed = demo_write(path, floats, pixels);
    free(floats);
    return failed;
}

int main(int argc, char **argv) {
    demo held = demo_scene(WB_SPEC);
    wb_scene_parameters start = held.parameters;
    gradient g;
    int wrong;

    g.pixels = ROWS * held.summary.fast_pixels;
    g.target = pixels_of(g.pixels);
    g.image = pixels_of(g.pixels);
    g.weights = pixels_of(g.pixels);
    g.pushed = pixels_of(g.pixels);
    g.differences = pixels_of(g.pixels);
    /* The same crystal, given by its axes: a matrix would scale with the wavelength, and no spot would move.
       The reciprocal axes matter to gaussian spots only and do not change. */
    start.given = (start.given & ~WB_GIVEN_MATRIX) | WB_GIVEN_AXES;
    memcpy(start.direct_m, held.summary.direct_m, sizeof start.direct_m);
    memcpy(start.reciprocal_per_angstrom, held.summary.reciprocal_per_angstrom, sizeof start.reciprocal_per_angstrom);

    render_images(&start, &g);
    differentiate(held.scene, &start, &g);
    wrong = compare_pullback(&start, &g);
    wrong += compare_pushforward(&g);
    wrong += write_floats(argc > 1 ? argv[1] : "demo_gradient.bin", g.pushed, g.pixels);

    free(g.differences);
    free(g.pushed);
    free(g.weights);
    free(g.image);
    free(g.target);
    demo_free(&held);
    return wrong > 0;
}
