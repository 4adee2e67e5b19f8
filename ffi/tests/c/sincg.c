/* Compares wb_sincg with the C expression that it replaces. Prints the number of values compared, or the
   first whose difference exceeds 1e-9 N, with exit status 1. */
#include <math.h>
#include <stdio.h>
#include "widebragg.h"

int main(void) {
    static const double cells[] = {1.0, 2.0, 5.0, 29.0, 36.0, 47.0, 100.0};
    long compared = 0;
    int i;
    unsigned j;
    for (i = -2000; i <= 2000; i++) {
        for (j = 0; j < sizeof cells / sizeof cells[0]; j++) {
            const double x = 0.005 * i, N = cells[j];
            const double expected = x == 0.0 ? N : sin(x * N) / sin(x);
            const double value = wb_sincg(x, N);
            if (!(fabs(value - expected) <= 1e-9 * N)) {
                printf("sincg(%.17g, %g) is %.17g, not %.17g\n", x, N, value, expected);
                return 1;
            }
            compared++;
        }
    }
    printf("%ld\n", compared);
    return 0;
}
