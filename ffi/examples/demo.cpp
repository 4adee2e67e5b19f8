// Renders the scene of `widebragg demo` from C++, 100 rows at a time, and writes the float image demo.bin.
//
// c++ -std=c++11 demo.cpp $(pkg-config --cflags --libs widebragg) -o demo && ./demo demo.bin
#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "demo_scene.h"

int main(int argc, char **argv) {
    std::unique_ptr<demo, void (*)(demo *)> held(new demo(demo_scene(WB_SPEC)), [](demo *scene) {
        demo_free(scene);
        delete scene;
    });
    const std::size_t columns = held->summary.fast_pixels, rows = held->summary.slow_pixels;
    std::vector<float> image(rows * columns);
    for (std::size_t row = 0; row < rows; row += 100) {
        const std::size_t count = std::min<std::size_t>(100, rows - row);
        demo_must(wb_render_rows(held->scene, row, count, &image[row * columns], count * columns, nullptr), nullptr);
    }
    std::cout << "brightest pixel " << *std::max_element(image.begin(), image.end()) << '\n';
    return demo_write(argc > 1 ? argv[1] : "demo.bin", image.data(), image.size());
}
