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

/* The interference function of N unit cells: sin(N x)/sin(x), and N at x = 0. It replaces nanoBragg's `sincg`.
   x: phase in radians. N: number of cells, as a double.
   Error: at most 4 units in the last place for the x given, |x| <= 2^30 and whole N up to 1e5 (the C expression
   itself loses the digits that rounding N x takes). Other finite arguments: the value of the C expression.
   NaN or infinite x: NaN. Same bits on every CPU. No state, no allocation; from any thread. */
double wb_sincg(double x, double N);

#ifdef __cplusplus
}
#endif

#endif
