/* Compiles the lines of README.md that replace nanoBragg's pixel loop (readme_lines.inc) with variables of
   nanoBragg's names. The image must have the bits of that of a scene from plain numbers. Prints "same". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "widebragg.h"

#define XYZ(to, from) memcpy(to, from + 1, 3 * sizeof(double))

static void vector(double *to, const double *xyz) { memcpy(to + 1, xyz, 3 * sizeof *xyz); }

int main(void) {
    enum { F = 41, S = 33, NODES = 21 * 21 * 21 };
    int fpixels = F, spixels = S, phisteps = 3, mosaic_domains = 2, sources = 2, oversample = 2, interpolate = 0;
    double pixel_size = 1e-3, fluence = 1e28, phi0 = 0.01, phistep = 0.002, Na = 7, Nb = 8, Nc = 9;
    double distance, close_distance, mosaic_umats[18];
    double pix0_vector[5], fdet_vector[5], sdet_vector[5], odet_vector[5], beam_vector[5], polar_vector[5];
    double spindle_vector[5], a0[5], b0[5], c0[5], a_star[5], b_star[5], c_star[5];
    static double f[NODES];
    static float expected[F * S], floatimage[F * S];
    wb_source src[2];
    wb_scene_parameters plain;
    wb_scene_summary summary;
    wb_scene *first;
    wb_grid g;
    size_t bytes_of_first, i;
    void *memory;

    for (i = 0; i < NODES; i++) f[i] = 5.0 + (double)(i * 7919 % 101);
    g.f = f;
    g.f_len = NODES;
    for (i = 0; i < 3; i++) {
        g.hkl_min[i] = -10;
        g.hkl_len[i] = 21;
    }
    g.default_f = 1.0;
    for (i = 0; i < 2; i++) {
        src[i].incident[0] = 1.0;
        src[i].incident[1] = src[i].incident[2] = 0.0;
        src[i].lambda_m = (1.0 + 0.01 * (double)i) * 1e-10;
    }
    if (wb_mosaic_domains(0.01, 7, mosaic_umats, 2) != WB_OK) return 1;
    wb_scene_defaults(&plain, sizeof plain);
    plain.given = WB_GIVEN_CELL | WB_GIVEN_X_BEAM;
    plain.x_beam_m = 0.013;
    plain.rotation_rad[1] = 0.1;
    plain.twotheta_rad = 0.2;
    plain.fast_pixels = F;
    plain.slow_pixels = S;
    plain.pixel_m = pixel_size;
    plain.cell_angstrom[0] = 30.0;
    plain.cell_angstrom[1] = 37.0;
    plain.cell_angstrom[2] = 41.0;
    plain.cell_angles_rad[0] = plain.cell_angles_rad[1] = plain.cell_angles_rad[2] = 1.55;
    plain.misset_rad[0] = 0.4;
    plain.cells[0] = Na;
    plain.cells[1] = Nb;
    plain.cells[2] = Nc;
    plain.oversample = 2;
    plain.fluence_per_m2 = fluence;
    plain.phi0_rad = phi0;
    plain.phi_step_rad = phistep;
    plain.phi_steps = 3;
    plain.domains = mosaic_umats;
    plain.domain_count = 2;
    plain.sources = src;
    plain.source_count = 2;
    plain.grid = g;
    if (wb_scene_size(&plain, &bytes_of_first, NULL) != WB_OK) return 2;
    memory = aligned_alloc(64, bytes_of_first);
    if (wb_scene_make(&plain, memory, bytes_of_first, &first, NULL) != WB_OK) return 3;
    if (wb_render_rows(first, 0, S, expected, F * S, NULL) != WB_OK) return 4;
    wb_scene_summarize(first, &summary, sizeof summary);
    distance = summary.distance_m;
    close_distance = summary.close_distance_m;
    vector(pix0_vector, summary.pix0_m);
    vector(fdet_vector, summary.fast_axis);
    vector(sdet_vector, summary.slow_axis);
    vector(odet_vector, summary.normal_axis);
    vector(beam_vector, summary.beam_axis);
    vector(polar_vector, summary.polarization_axis);
    vector(spindle_vector, summary.spindle_axis);
    vector(a0, summary.direct_m);
    vector(b0, summary.direct_m + 3);
    vector(c0, summary.direct_m + 6);
    vector(a_star, summary.reciprocal_per_angstrom);
    vector(b_star, summary.reciprocal_per_angstrom + 3);
    vector(c_star, summary.reciprocal_per_angstrom + 6);
    {
#include "readme_lines.inc"
        free(scene);
    }
    free(memory);
    for (i = 0; i < F * S; i++) {
        if (memcmp(&floatimage[i], &expected[i], sizeof expected[i]) != 0 || expected[i] <= 0.0f) {
            printf("pixel %lu: %g, not %g\n", (unsigned long)i, floatimage[i], expected[i]);
            return 5;
        }
    }
    printf("same\n");
    return 0;
}
