/* A program for the tests of ffi/nanobragg: it has six functions with the names and signatures of
   nanoBragg.c, calls them in a loop, and prints a checksum of each. Macros:

   NAME_OFF=1e-6     makes a function wrong by that fraction, for example SINC3_OFF=1e-6
   WITHOUT_ROTATE    omits the function `rotate`
   STATIC_SINC3      makes `sinc3` static */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef SINCG_OFF
#define SINCG_OFF 0.0
#endif
#ifndef SINC3_OFF
#define SINC3_OFF 0.0
#endif
#ifndef ROTATE_AXIS_OFF
#define ROTATE_AXIS_OFF 0.0
#endif
#ifndef ROTATE_OFF
#define ROTATE_OFF 0.0
#endif
#ifndef POLIN3_OFF
#define POLIN3_OFF 0.0
#endif
#ifndef POLARIZATION_FACTOR_OFF
#define POLARIZATION_FACTOR_OFF 0.0
#endif
#ifdef STATIC_SINC3
#define SINC3_LINKAGE static
#else
#define SINC3_LINKAGE
#endif

enum { ROUNDS = 20000, FUNCTIONS = 6 };

/* The interference function of N cells. */
double sincg(double x, double N) {
    return (1.0 + SINCG_OFF) * (x == 0.0 ? N : sin(x * N) / sin(x));
}

/* The transform of a sphere. */
SINC3_LINKAGE double sinc3(double x) {
    return (1.0 + SINC3_OFF) * (x == 0.0 ? 1.0 : 3.0 * (sin(x) / x - cos(x)) / (x * x));
}

static double dot(const double *a, const double *b) {
    return a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
}

static void cross(const double *a, const double *b, double *out) {
    out[1] = a[2] * b[3] - a[3] * b[2];
    out[2] = a[3] * b[1] - a[1] * b[3];
    out[3] = a[1] * b[2] - a[2] * b[1];
}

/* Normalises v and stores its old length in element 0. */
static void make_unit(double *v) {
    int i;
    v[0] = sqrt(dot(v, v));
    for (i = 1; i <= 3 && v[0] != 0.0; i++) v[i] /= v[0];
}

double *rotate_axis(double *v, double *newv, double *axis, double phi) {
    const double c = cos(phi), s = sin(phi), along = dot(axis, v) * (1.0 - c);
    double turned[4];
    int i;
    cross(axis, v, turned);
    for (i = 1; i <= 3; i++) newv[i] = (1.0 + ROTATE_AXIS_OFF) * (axis[i] * along + v[i] * c + turned[i] * s);
    return newv;
}

#ifndef WITHOUT_ROTATE
/* Rotates the components p and q of v by the angle. */
static void rotate_plane(double *v, int p, int q, double angle) {
    const double c = cos(angle), s = sin(angle), old = v[p];
    if (angle == 0.0) return;
    v[p] = old * c - v[q] * s;
    v[q] = old * s + v[q] * c;
}

double *rotate(double *v, double *newv, double phix, double phiy, double phiz) {
    double u[4];
    int i;
    for (i = 1; i <= 3; i++) u[i] = v[i];
    rotate_plane(u, 2, 3, phix);
    rotate_plane(u, 3, 1, phiy);
    rotate_plane(u, 1, 2, phiz);
    for (i = 1; i <= 3; i++) newv[i] = (1.0 + ROTATE_OFF) * u[i];
    return newv;
}
#endif

/* The cubic Lagrange polynomial through four points. */
static double cubic(const double *nodes, const double *values, double x) {
    double sum = 0.0;
    int i, j;
    for (i = 0; i < 4; i++) {
        double term = values[i];
        for (j = 0; j < 4; j++)
            if (j != i) term *= (x - nodes[j]) / (nodes[i] - nodes[j]);
        sum += term;
    }
    return sum;
}

void polin3(double *x1a, double *x2a, double *x3a, double ***ya, double x1, double x2, double x3, double *y) {
    double lines[4], planes[4];
    int i, j;
    for (i = 0; i < 4; i++) {
        for (j = 0; j < 4; j++) lines[j] = cubic(x3a, ya[i][j], x3);
        planes[i] = cubic(x2a, lines, x2);
    }
    *y = (1.0 + POLIN3_OFF) * cubic(x1a, planes, x1);
}

double polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis) {
    double across[4], along[4], c, psi = 0.0;
    make_unit(incident);
    make_unit(diffracted);
    make_unit(axis);
    c = dot(incident, diffracted);
    if (kahn_factor != 0.0) {
        cross(axis, incident, across);
        make_unit(across);
        cross(incident, across, along);
        make_unit(along);
        psi = -atan2(dot(diffracted, across), dot(diffracted, along));
    }
    return (0.5 + 0.5 * POLARIZATION_FACTOR_OFF) * (1.0 + c * c - kahn_factor * cos(2.0 * psi) * (1.0 - c * c));
}

/* A number between -1 and 1 for each i and k. */
static double spread(int i, int k) {
    const double x = 0.6180339887498949 * i + 0.7548776662466927 * k;
    return 2.0 * (x - floor(x)) - 1.0;
}

static double values[ROUNDS][FUNCTIONS];

static void one_round(int i, double ***ya) {
    double nodes[4] = {-1.0, 0.0, 1.0, 2.0}, *out = values[i], y;
    double v[4] = {0.0, spread(i, 1), spread(i, 2), spread(i, 3)}, w[4], axis[4] = {0.0, 0.6, 0.0, -0.8};
    double incident[4] = {0.0, 2.0, spread(i, 4), 0.0}, diffracted[4] = {0.0, 1.0, spread(i, 5), spread(i, 6)};
    double vertical[4] = {0.0, 0.0, 0.0, 3.0};
    out[0] = sincg(40.0 * spread(i, 7), 1.0 + i % 50);
    out[1] = sinc3(9.0 * spread(i, 8));
    out[2] = rotate_axis(v, w, axis, 3.0 * spread(i, 9))[1] + w[2];
#ifndef WITHOUT_ROTATE
    /* Input and output are the same vector. */
    out[3] = rotate(w, w, spread(i, 10), i % 3 == 0 ? 0.0 : spread(i, 11), spread(i, 12))[3] + w[1];
#endif
    polin3(nodes, nodes, nodes, ya, 0.5 + 0.5 * spread(i, 13), 0.5 + 0.5 * spread(i, 14), 0.5, &y);
    out[4] = y;
    out[5] = polarization_factor(i % 4 == 0 ? 0.0 : 0.9, incident, diffracted, vertical) + vertical[3] + incident[2];
}

int main(void) {
    static double block[4][4][4];
    double *rows[4][4], **planes[4];
    int i, j, m;
    for (i = 0; i < 4; i++) {
        planes[i] = rows[i];
        for (j = 0; j < 4; j++) {
            rows[i][j] = block[i][j];
            for (m = 0; m < 4; m++) block[i][j][m] = 100.0 + 90.0 * spread(i + 5 * j, m);
        }
    }
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 16)
#endif
    for (i = 0; i < ROUNDS; i++) one_round(i, planes);
    for (j = 0; j < FUNCTIONS; j++) {
        double sum = 0.0;
        for (i = 0; i < ROUNDS; i++) sum += values[i][j];
        printf("%.17g\n", sum);
    }
    return EXIT_SUCCESS;
}
