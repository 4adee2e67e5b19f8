/* Renders the scene of `widebragg demo` in c-parity from two POSIX threads. Each thread renders a band of
   rows with its own fork of the carryover. The image and the counts of the carryover are the same as with one
   thread.

   cc -pthread demo_threads.c $(pkg-config --cflags --libs widebragg) -lm -o demo_threads
   ./demo_threads demo.bin */
#include <pthread.h>
#include "demo_scene.h"

typedef struct band {
    const wb_scene *scene;
    size_t first_row, rows, columns;
    float *image; /* the first pixel of the band */
    wb_carryover *carryover;
    int32_t status;
} band;

static void *render(void *argument) {
    band *own = (band *)argument;
    own->status =
        wb_render_rows(own->scene, own->first_row, own->rows, own->image, own->rows * own->columns, own->carryover);
    return NULL;
}

int main(int argc, char **argv) {
    demo held = demo_scene(WB_CPARITY);
    const size_t columns = held.summary.fast_pixels, rows = held.summary.slow_pixels;
    float *image = (float *)malloc(rows * columns * sizeof *image);
    wb_carryover *carryover;
    wb_carryover_slot slot;
    void *memory[3];
    pthread_t threads[2];
    band bands[2];
    size_t bytes;
    int i, failed;

    if (image == NULL) return 1;
    demo_must(wb_carryover_size(held.scene, WB_STREAMS, 1, &bytes), NULL);
    demo_must(wb_carryover_open(held.scene, WB_STREAMS, 1, demo_memory(bytes, &memory[2]), bytes, &carryover), NULL);
    for (i = 0; i < 2; i++) {
        band *own = &bands[i];
        own->scene = held.scene;
        own->first_row = i == 0 ? 0 : rows / 2;
        own->rows = i == 0 ? rows / 2 : rows - rows / 2;
        own->columns = columns;
        own->image = image + own->first_row * columns;
        demo_must(wb_carryover_fork(carryover, demo_memory(bytes, &memory[i]), bytes, &own->carryover), NULL);
    }
    for (i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, render, &bands[i]) != 0) return 1;
    }
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        demo_must(bands[i].status, NULL);
        demo_must(wb_carryover_absorb(carryover, bands[i].carryover), NULL);
    }
    demo_must(wb_carryover_read(carryover, 0, &slot), NULL);
    printf("%lu hits, %lu fresh\n", (unsigned long)slot.hits, (unsigned long)slot.fresh);
    failed = demo_write(argc > 1 ? argv[1] : "demo.bin", image, rows * columns);
    for (i = 0; i < 3; i++) free(memory[i]);
    free(image);
    demo_free(&held);
    return failed;
}
