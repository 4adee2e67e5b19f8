/* Renders the scene of `widebragg demo` row by row and writes the float image demo.bin, which has the same
   bits as that of the program. With the second argument c-parity, it is the image of
   `widebragg demo --phi-carryover-mode c-parity`.

   cc demo_rows.c $(pkg-config --cflags --libs widebragg) -lm -o demo_rows && ./demo_rows demo.bin */
#include "demo_scene.h"

int main(int argc, char **argv) {
    const int c_parity = argc > 2 && strcmp(argv[2], "c-parity") == 0;
    demo held = demo_scene(c_parity ? WB_CPARITY : WB_SPEC);
    const size_t columns = held.summary.fast_pixels, rows = held.summary.slow_pixels;
    float *image = (float *)malloc(rows * columns * sizeof *image);
    wb_carryover *carryover = NULL;
    void *carryover_memory = NULL;
    size_t row;
    int failed;

    if (image == NULL) return 1;
    if (held.summary.carries) {
        size_t bytes;
        void *memory;
        demo_must(wb_carryover_size(held.scene, WB_STREAMS, 1, &bytes), NULL);
        memory = demo_memory(bytes, &carryover_memory);
        demo_must(wb_carryover_open(held.scene, WB_STREAMS, 1, memory, bytes, &carryover), NULL);
    }
    for (row = 0; row < rows; row++) {
        demo_must(wb_render_rows(held.scene, row, 1, image + row * columns, columns, carryover), NULL);
    }
    printf("%lu x %lu pixels, %.0f steps each, %s\n", (unsigned long)columns, (unsigned long)rows, held.summary.steps,
           held.summary.simd);
    failed = demo_write(argc > 1 ? argv[1] : "demo.bin", image, rows * columns);
    free(carryover_memory);
    free(image);
    demo_free(&held);
    return failed;
}
