/* widebragg.h: the C interface of widebragg.

#include <stdio.h>
#include "widebragg.h"

int main(void) {
    // 36 unit cells, a twentieth of a radian from the Bragg peak.
    printf("%.17g\n", wb_sincg(0.05, 36.0));
    return 0;
}

   To build that program, in the root of the repository:

   cargo rustc -p widebragg-ffi --release --crate-type staticlib
   cc -I ffi/include demo.c target/release/libwidebragg_ffi.a -lm -lpthread -ldl -o demo
*/

#ifndef WIDEBRAGG_H
#define WIDEBRAGG_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Scalar twins: nanoBragg's own functions, one value at a time ------------------------------------------------

   No state, no allocation; from any thread; never slower than the C expressions with glibc. Angles and phases are in
   radians. A vector has four elements: 1, 2, 3 are x, y, z, and 0 is the slot for a magnitude, which only
   wb_polarization_factor writes. Input and output may be the same vector. NULL for any pointer: nothing is written, and
   the value returned, where there is one, is NaN. NaN in, NaN out. */

/* The interference function of N unit cells: sin(N x)/sin(x), and N at x = 0. It replaces nanoBragg's `sincg`.
   x: phase. N: number of cells, as a double.
   Error: at most 4 units in the last place for the x given, |x| <= 2^30 and whole N up to 1e5 (the C expression
   itself loses the digits that rounding N x takes). Other finite arguments: the value of the C expression.
   NaN or infinite x: NaN. Same bits on every CPU. */
double wb_sincg(double x, double N);

/* The transform of a sphere: 3 (sin(x)/x - cos(x))/x^2, and 1 at x = 0. It replaces `sinc3`, without its loss of digits
   near 0. Error: 1e-15 of max(1, 1/x^2). */
double wb_sinc3(double x);

/* newv = v turned about `axis` by phi, right-handed; `axis` is used as given: one that is not a unit vector distorts.
   It replaces `rotate_axis`. Returns newv. */
double *wb_rotate_axis(const double *v, double *newv, const double *axis, double phi);

/* newv = v turned about x by phix, then about y by phiy, then about z by phiz, right-handed. It replaces `rotate`.
   Returns newv. */
double *wb_rotate(const double *v, double *newv, double phix, double phiy, double phiz);

/* *y = the value at (x1, x2, x3) of the cubic Lagrange interpolation of ya[i][j][m], given at (x1a[i], x2a[j], x3a[m]) with
   i, j, m = 0..3; the nodes of an axis differ from each other. It replaces `polin3`. */
void wb_polin3(const double *x1a, const double *x2a, const double *x3a, double ***ya, double x1, double x2, double x3,
               double *y);

/* Kahn's polarisation factor for a polarised fraction kahn_factor. Normalises the three vectors in place and sets their
   magnitude slots to 1; a vector of length 0 stays as it is, with 0 there. It replaces `polarization_factor`. */
double wb_polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis);

/* ---- End of the scalar twins ------------------------------------------------------------------------------------- */

#ifdef __cplusplus
}
#endif

#endif
