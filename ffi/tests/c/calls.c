/* Calls every function, in memory from malloc that has not been initialised, for memory checkers. Prints
   "ok", or the check that fails, with exit status 1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "widebragg.h"

#define CHECK(condition)                                              \
    do {                                                              \
        if (!(condition)) {                                           \
            printf("line %d: %s\n", __LINE__, #condition);            \
            exit(1);                                                  \
        }                                                             \
    } while (0)

/* Allocates `bytes` bytes at a multiple of WB_ALIGNMENT that end, apart from the alignment, where the memory
   of malloc ends, so that a checker detects writes past the end. *whole is the pointer to free. */
static void *exactly(size_t bytes, void **whole) {
    uintptr_t end;
    *whole = malloc(bytes + WB_ALIGNMENT);
    CHECK(*whole != NULL);
    end = (uintptr_t)*whole + WB_ALIGNMENT;
    return (void *)(end - end % WB_ALIGNMENT);
}

static wb_scene *make(const wb_scene_parameters *p, void **whole) {
    size_t bytes;
    void *memory;
    wb_scene *scene;
    wb_error error;
    CHECK(wb_scene_size(p, &bytes, &error) == WB_OK && error.status == WB_OK);
    memory = exactly(bytes, whole);
    CHECK(wb_scene_make(p, memory, bytes, &scene, &error) == WB_OK);
    return scene;
}

static double sum(const float *image, size_t n) {
    double total = 0.0;
    size_t i;
    for (i = 0; i < n; i++) total += image[i];
    return total;
}

/* Derivatives of the whole image in both directions, in arrays of exactly the size that they need. */
static void derivatives(const wb_scene_parameters *p, const wb_scene *scene, size_t side, wb_carryover *carryover) {
    const size_t pixels = side * side, nodes = p->grid.f_len;
    wb_variables *directions = (wb_variables *)malloc(2 * sizeof *directions);
    wb_variables *sums = (wb_variables *)malloc(sizeof *sums);
    double *weights = (double *)malloc(pixels * sizeof *weights);
    double *images = (double *)malloc(2 * pixels * sizeof *images);
    double *by_f = (double *)malloc(nodes * sizeof *by_f);
    double along[2], pushed;
    uint64_t wanted;
    wb_turns *turns;
    wb_error error;
    void *memory;
    size_t bytes, i, j;

    CHECK(directions != NULL && sums != NULL && weights != NULL && images != NULL && by_f != NULL);
    for (i = 0; i < WB_PARAMETERS; i++) CHECK(wb_direction(p, (int32_t)i, &directions[0], &error) == WB_OK);
    CHECK(wb_direction(p, WB_BY_MISSET_X, &directions[0], &error) == WB_OK && error.status == WB_OK);
    CHECK(wb_direction(p, WB_BY_OSC, &directions[1], NULL) == WB_OK);
    CHECK(wb_wanted_along(directions, 2, &wanted) == WB_OK && wanted == (WB_WANT_CELL | WB_WANT_PHI));
    for (i = 0; i < 3; i++) {
        if (i > 0) wanted = i == 1 ? 0 : WB_WANT_ALL;
        CHECK(wb_turns_size(scene, wanted, &bytes) == WB_OK && bytes % WB_ALIGNMENT == 0);
        CHECK(wb_turns_make(scene, wanted, exactly(bytes, &memory), bytes, &turns) == WB_OK);
        if (i < 2) free(memory);
    }
    memset(sums, 0, sizeof *sums);
    for (i = 0; i < nodes; i++) by_f[i] = 0.0;
    for (i = 0; i < pixels; i++) weights[i] = 1.0 + 0.1 * (double)(i % 7);
    CHECK(wb_pullback_rows(scene, turns, 0, side, weights, pixels, sums, by_f, nodes, carryover, &error) == WB_OK);
    CHECK(wb_pullback_rows(scene, turns, 0, 1, weights, 1, sums, NULL, 0, carryover, &error) == WB_WRONG_LENGTH);
    CHECK(strcmp(error.quantity, "weights") == 0 && error.needed == side);
    CHECK(wb_pushforward_rows(scene, turns, 0, side, directions, 2, images, 2 * pixels, carryover, NULL) == WB_OK);
    for (i = 0; i < 2; i++) {
        along[i] = wb_dot(sums, &directions[i]);
        pushed = 0.0;
        for (j = 0; j < pixels; j++) pushed += weights[j] * images[i * pixels + j];
        CHECK(along[i] != 0.0 && fabs(along[i] - pushed) < 1e-9 * fabs(pushed));
    }
    free(memory);
    free(by_f);
    free(images);
    free(weights);
    free(sums);
    free(directions);
}

static void scenes(void) {
    enum { SIDE = 37, NODES = 15 * 15 * 15 };
    wb_scene_parameters p;
    wb_scene_summary summary;
    wb_carryover *carryover, *fork;
    wb_carryover_slot slot;
    wb_carryover_use use;
    wb_latch latch;
    wb_row_report report;
    wb_source_grid spread;
    wb_source *sources;
    wb_error error;
    wb_scene *scene;
    void *memory[4];
    size_t bytes, count, i;
    double total, value;
    float *image = (float *)malloc(SIDE * SIDE * sizeof *image);
    double *image_f64 = (double *)malloc(SIDE * SIDE * sizeof *image_f64);
    double *f = (double *)malloc(NODES * sizeof *f);
    double *domains = (double *)malloc(27 * sizeof *domains);
    uint16_t *mask = (uint16_t *)malloc(SIDE * SIDE * sizeof *mask);

    CHECK(image != NULL && image_f64 != NULL && f != NULL && domains != NULL && mask != NULL);
    for (i = 0; i < NODES; i++) f[i] = 10.0 + (double)(i % 13);
    for (i = 0; i < SIDE * SIDE; i++) mask[i] = i % 11 != 0;
    CHECK(wb_mosaic_domains(0.01, 12345678, domains, 3) == WB_OK);
    CHECK(wb_scene_defaults(&p, sizeof p) == WB_OK);
    p.given = WB_GIVEN_CELL;
    p.cell_angstrom[0] = 30.0;
    p.cell_angstrom[1] = 35.0;
    p.cell_angstrom[2] = 40.0;
    p.cell_angles_rad[0] = p.cell_angles_rad[1] = p.cell_angles_rad[2] = 1.6;
    CHECK(wb_random_misset(3, p.misset_rad) == WB_OK);
    p.fast_pixels = p.slow_pixels = SIDE;
    p.pixel_m = 2e-3;
    p.phi_steps = 3;
    p.phi_step_rad = 0.002;
    p.domains = domains;
    p.domain_count = 3;
    p.cells[0] = p.cells[1] = p.cells[2] = 5.0;
    p.oversample = 1;
    p.mask = mask;
    p.mask_len = SIDE * SIDE;
    p.grid.f = f;
    p.grid.f_len = NODES;
    for (i = 0; i < 3; i++) {
        p.grid.hkl_min[i] = -7;
        p.grid.hkl_len[i] = 15;
    }

    memset(&spread, 0, sizeof spread);
    spread.hdiv_count = spread.vdiv_count = 1;
    spread.dispersion_count = 3;
    spread.dispersion_range = 0.02;
    spread.dispersion_step = 0.01;
    CHECK(wb_sources_len(&spread, &count) == WB_OK && count == 3);
    sources = (wb_source *)malloc(count * sizeof *sources);
    CHECK(sources != NULL && wb_sources_fill(&p, &spread, sources, count, &count) == WB_OK && count == 3);
    CHECK(fabs(sources[1].lambda_m - 1e-10) < 1e-20);
    p.sources = sources;
    p.source_count = count;

    scene = make(&p, &memory[0]);
    CHECK(wb_scene_summarize(scene, &summary, sizeof summary) == WB_OK);
    CHECK(summary.orientations == 9 && summary.carries == 0 && strlen(summary.simd) > 0);
    CHECK(wb_render_rows(scene, 0, SIDE, image, SIDE * SIDE, NULL) == WB_OK);
    total = sum(image, SIDE * SIDE);
    CHECK(total > 0.0);
    CHECK(wb_render_rows_f64(scene, 0, SIDE, image_f64, SIDE * SIDE, NULL) == WB_OK);
    for (i = 0; i < SIDE * SIDE; i++) CHECK((float)image_f64[i] == image[i]);
    CHECK(wb_render_rows_report(scene, 0, 2, image, 2 * SIDE, NULL, &report) == WB_OK && report.pixels > SIDE);
    CHECK(wb_render_pixel(scene, 5, 6, &value, NULL) == WB_OK && value == image_f64[5 * SIDE + 6]);
    derivatives(&p, scene, SIDE, NULL);
    free(memory[0]);

    p.mode = WB_CPARITY;
    p.interpolation = WB_INTERPOLATE_ALWAYS;
    scene = make(&p, &memory[0]);
    CHECK(wb_carryover_size(scene, WB_STREAMS, 2, &bytes) == WB_OK);
    CHECK(wb_carryover_open(scene, WB_STREAMS, 2, exactly(bytes, &memory[1]), bytes, &carryover) == WB_OK);
    CHECK(wb_render_rows(scene, 0, SIDE, image, SIDE * SIDE, carryover) == WB_LATCH_MISSING);
    CHECK(wb_scene_find_latch(scene, 0, SIDE, carryover, &latch) == WB_OK && latch.found == 1);
    CHECK(wb_scene_set_latch(scene, &latch) == WB_OK);
    CHECK(wb_carryover_fork(carryover, exactly(bytes, &memory[2]), bytes, &fork) == WB_OK);
    CHECK(wb_render_rows(scene, 0, 10, image, 10 * SIDE, carryover) == WB_OK);
    CHECK(wb_render_rows(scene, 10, SIDE - 10, image + 10 * SIDE, (SIDE - 10) * SIDE, fork) == WB_OK);
    CHECK(sum(image, SIDE * SIDE) > 0.0);
    derivatives(&p, scene, SIDE, carryover);
    CHECK(wb_carryover_absorb(carryover, fork) == WB_OK);
    CHECK(wb_carryover_slots(carryover, &count) == WB_OK && count == 2);
    CHECK(wb_carryover_read(carryover, 0, &slot) == WB_OK && slot.fresh == 1 && slot.hits > 0);
    CHECK(wb_carryover_use_at(carryover, scene, 0, 2, &use) == WB_OK && use.found == WB_HIT && use.left_by_fast == 1);
    free(memory[1]);
    free(memory[2]);
    CHECK(wb_carryover_size(scene, WB_PIXELS, 1, &bytes) == WB_OK);
    CHECK(wb_carryover_open(scene, WB_PIXELS, 1, exactly(bytes, &memory[3]), bytes, &carryover) == WB_OK);
    CHECK(wb_render_rows(scene, 3, 4, image, 4 * SIDE, carryover) == WB_OK && sum(image, 4 * SIDE) > 0.0);
    CHECK(wb_carryover_read(carryover, SIDE * SIDE - 1, &slot) == WB_OK && slot.hits == 0);
    free(memory[3]);
    free(memory[0]);

    p.fudge = NAN;
    CHECK(wb_scene_size(&p, &bytes, &error) == WB_OUT_OF_RANGE);
    CHECK(strcmp(error.quantity, "fudge") == 0 && isnan(error.value) && strlen(error.allowed) > 0);
    free(image);
    free(image_f64);
    free(f);
    free(domains);
    free(sources);
    free(mask);
}

/* The same scene on a panel that has moved, the derivative by a turn of it, and what matter scatters to it, in memory of
   exactly the size that they need. */
static void panels(void) {
    enum { SIDE = 9 };
    const double stol[3] = {0.0, 0.2, 0.5}, f[3] = {2.5, 7.0, 3.0};
    double *photons = (double *)malloc(SIDE * SIDE * sizeof *photons), part;
    wb_variables *direction = (wb_variables *)malloc(sizeof *direction);
    wb_scene_parameters p;
    wb_matter matter;
    wb_panel panel, moved;
    wb_motion motion;
    wb_background *background;
    wb_scene *scene, *other;
    wb_error error;
    wb_turns *turns;
    void *memory[4];
    size_t bytes, i;
    uint64_t wanted;

    CHECK(photons != NULL && direction != NULL);
    CHECK(wb_scene_defaults(&p, sizeof p) == WB_OK);
    p.given = WB_GIVEN_CELL;
    for (i = 0; i < 3; i++) {
        p.cell_angstrom[i] = 40.0;
        p.cell_angles_rad[i] = 1.6;
        p.cells[i] = 3.0;
    }
    p.fast_pixels = p.slow_pixels = SIDE;
    p.pixel_m = 2e-3;
    p.grid.default_f = 100.0;
    scene = make(&p, &memory[0]);
    CHECK(wb_scene_panel(scene, &panel) == WB_OK && panel.fast_pixels == SIDE);
    CHECK(wb_panel_frame(&panel, &motion) == WB_OK);
    motion.shift_m[2] = 1e-3;
    motion.turn_rad[0] = 0.1;
    CHECK(wb_panel_move(&panel, &motion, &moved) == WB_OK);
    CHECK(wb_scene_on_panel(scene, &moved, NULL, NULL, 0, exactly(WB_SCENE_HEADER, &memory[1]), WB_SCENE_HEADER, &other,
                            &error) == WB_OK);
    CHECK(wb_render_rows_f64(other, 0, SIDE, photons, SIDE * SIDE, NULL) == WB_OK);
    for (i = 0; i < SIDE * SIDE; i++) CHECK(photons[i] > 0.0);

    CHECK(wb_panel_direction(&panel, &motion, WB_TURN_1, direction, &error) == WB_OK);
    CHECK(wb_wanted_along(direction, 1, &wanted) == WB_OK && wanted == WB_WANT_DETECTOR);
    CHECK(wb_turns_size(other, wanted, &bytes) == WB_OK);
    CHECK(wb_turns_make(other, wanted, exactly(bytes, &memory[2]), bytes, &turns) == WB_OK);
    CHECK(wb_pushforward_rows(other, turns, 0, SIDE, direction, 1, photons, SIDE * SIDE, NULL, &error) == WB_OK);
    CHECK(photons[0] != 0.0);

    memset(&matter, 0, sizeof matter);
    matter.size = sizeof matter;
    matter.stol_per_angstrom = stol;
    matter.f_electrons = f;
    matter.point_count = 3;
    matter.molecules = wb_molecules(1e-4, 1e-8, 1.0, 18.0);
    for (i = 0; i < 2; i++) {
        matter.profile_cells = 100 * i;
        CHECK(wb_background_size(other, &matter, &bytes, &error) == WB_OK && bytes % WB_ALIGNMENT == 0);
        CHECK(wb_background_make(other, &matter, exactly(bytes, &memory[3]), bytes, &background, &error) == WB_OK);
        memset(photons, 0, SIDE * SIDE * sizeof *photons);
        CHECK(wb_background_rows(background, 2, SIDE - 2, photons + 2 * SIDE, (SIDE - 2) * SIDE) == WB_OK);
        CHECK(photons[0] == 0.0 && photons[SIDE * SIDE - 1] > 0.0);
        CHECK(wb_background_error(background, &part) == WB_OK && (part > 0.0) == (i > 0));
        free(memory[3]);
    }
    free(memory[2]);
    free(memory[1]);
    free(memory[0]);
    free(direction);
    free(photons);
}

/* All stages of a detector, and its point spread, in arrays of exactly the size that they need. */
static void stages(void) {
    enum { COLUMNS = 13, ROWS = 11, N = COLUMNS * ROWS, BAD = 5 };
    const wb_place place = {7, 1, 2, 0, WB_SIMD_AUTO};
    const wb_gain_switching switching = {9.5, {100.0, 1000.0}, {{40, 2500, 12}, {-1.4, 15000, 20}, {-0.1, 15200, 21}}};
    float *pixels = (float *)malloc(N * sizeof *pixels), *out = (float *)malloc(N * sizeof *out);
    float *gains = (float *)malloc(N * sizeof *gains), *pedestals = (float *)malloc(N * sizeof *pedestals);
    const wb_pixel_differences differences = {gains, {pedestals, NULL, pedestals}, NULL};
    int32_t *stored = (int32_t *)malloc(N * sizeof *stored);
    uint32_t *bad = (uint32_t *)malloc(BAD * sizeof *bad);
    uint16_t *mask = (uint16_t *)malloc(N * sizeof *mask);
    wb_spread spread = {WB_SPREAD_FIBER, WB_SIMD_AUTO, 0.8, 3, COLUMNS, ROWS};
    double factor, *shares, *scratch;
    size_t saturated, shares_len, scratch_len, radius;
    int i;

    CHECK(pixels != NULL && out != NULL && gains != NULL && pedestals != NULL && stored != NULL && bad != NULL && mask != NULL);
    for (i = 0; i < N; i++) {
        pixels[i] = (float)(i % 20);
        mask[i] = i % 9 != 0;
    }
    CHECK(wb_gain_map(&place, 0.03, gains, N) == WB_OK && wb_bad_pixels(&place, N, 0, bad, BAD) == WB_OK);
    CHECK(wb_pedestal_map(&place, 5.0, 0, pedestals, N) == WB_OK);
    CHECK(wb_shot_factor(&place, 0.1, &factor) == WB_OK && factor > 0.5 && factor < 1.5);
    CHECK(wb_stage_scale(&place, factor, pixels, N) == WB_OK && wb_stage_flicker(&place, 0.01, pixels, N) == WB_OK);
    CHECK(wb_stage_count(&place, pixels, N) == WB_OK && wb_stage_dead_time(&place, 1e-7, 1e-3, 0, pixels, N) == WB_OK);
    for (i = WB_SPREAD_GAUSS; i <= WB_SPREAD_GAUSS_SQUARE; i++) {
        spread.form = i;
        CHECK(wb_spread_size(&spread, &shares_len, &scratch_len) == WB_OK);
        shares = (double *)malloc(shares_len * sizeof *shares);
        scratch = (double *)malloc(scratch_len * sizeof *scratch);
        CHECK(shares != NULL && scratch != NULL && wb_spread_shares(&spread, shares, shares_len) == WB_OK);
        CHECK(wb_spread_rows(&spread, shares, shares_len, pixels, N, 0, ROWS, scratch, scratch_len, out, N) == WB_OK);
        CHECK(sum(out, N) > 0.0 && sum(out, N) < sum(pixels, N));
        free(scratch);
        free(shares);
    }
    CHECK(wb_spread_whole_radius(0.8, &radius) == WB_OK && radius > 1);
    CHECK(wb_stage_switch_gain(&place, &switching, &differences, out, N, stored, &saturated) == WB_OK);
    CHECK(saturated == 0);
    CHECK(wb_stage_amplify(&place, 1.7, gains, out, N) == WB_OK && wb_stage_pedestal(&place, 40.0, out, N) == WB_OK);
    CHECK(wb_stage_common_mode(&place, 1.0, COLUMNS, COLUMNS, 1, out, N) == WB_OK);
    CHECK(wb_stage_read_out(&place, 3.0, out, N) == WB_OK);
    CHECK(wb_stage_store(out, N, 0, 65535, stored, &saturated) == WB_OK && saturated == 0);
    CHECK(wb_stage_set(&place, bad, BAD, 0, stored, N) == WB_OK && wb_stage_mask(&place, mask, -1, stored, N) == WB_OK);
    CHECK(stored[0] == -1 && stored[1] >= 0 && stored[bad[0]] <= 0);
    free(mask);
    free(bad);
    free(stored);
    free(pedestals);
    free(gains);
    free(out);
    free(pixels);
}

static void arrays(void) {
    size_t n, i;
    for (n = 0; n <= 40; n++) {
        /* One element more, because malloc(0) may return NULL. */
        double *x = (double *)malloc((n + 1) * sizeof *x), *out = (double *)malloc((n + 1) * sizeof *out);
        double f[64];
        wb_grid grid;
        uint64_t fallbacks;
        CHECK(x != NULL && out != NULL);
        for (i = 0; i < n; i++) x[i] = 0.1 + 0.21 * (double)i;
        CHECK(wb_sincg_array(x, n, 29.0, out, WB_SIMD_AUTO) == WB_OK);
        for (i = 0; i < n; i++) CHECK(fabs(out[i] - sin(29.0 * x[i]) / sin(x[i])) < 1e-9);
        CHECK(wb_sincg_index_array(x, n, 29.0, out, WB_SIMD_AUTO) == WB_OK);
        for (i = 0; i < n; i++) CHECK(fabs(out[i]) <= 29.0);
        CHECK(wb_sincg_squared_slope_array(x, n, 29.0, out, WB_SIMD_AUTO) == WB_OK);
        for (i = 0; i < n; i++) CHECK(fabs(out[i]) <= 2.0 * 3.15 * 29.0 * 29.0 * 29.0);
        for (i = 0; i < 64; i++) f[i] = (double)i;
        grid.f = f;
        grid.f_len = 64;
        for (i = 0; i < 3; i++) {
            grid.hkl_min[i] = -1;
            grid.hkl_len[i] = 4;
        }
        grid.default_f = 5.0;
        CHECK(wb_nearest_array(&grid, x, x, x, n, out, WB_SIMD_AUTO) == WB_OK);
        for (i = 0; i < n; i++) CHECK(out[i] >= 0.0 && out[i] < 64.0);
        CHECK(wb_tricubic_array(&grid, x, x, x, n, out, &fallbacks, WB_SIMD_AUTO) == WB_OK && fallbacks <= n);
        for (i = 0; i < n; i++) CHECK(out[i] >= 0.0 && out[i] < 64.0);
        free(x);
        free(out);
    }
}

static void rotations(void) {
    const double cell[9] = {3e-9, 0, 0, 0, 4e-9, 0, 0, 0, 5e-9}, spindle[3] = {0, 0, 1};
    double *out = (double *)malloc(36 * sizeof *out);
    CHECK(out != NULL);
    CHECK(wb_orientations(cell, 0.0, 0.1, 4, spindle, WB_SPEC, NULL, 0, out, 36) == WB_OK);
    CHECK(fabs(out[27] - 3e-9 * cos(0.3)) < 1e-22 && fabs(out[28] - 3e-9 * sin(0.3)) < 1e-22 && out[35] == 5e-9);
    free(out);
}

static void noise(void) {
    wb_noise stream;
    float means[100], counts[100];
    int i;
    for (i = 0; i < 100; i++) means[i] = (float)(i * i);
    CHECK(wb_noise_seed(&stream, 5) == WB_OK);
    CHECK(wb_noise_uniform(&stream, counts, 100) == WB_OK && sum(counts, 100) > 0.0);
    CHECK(wb_noise_gauss(&stream, counts, 100) == WB_OK && fabs(sum(counts, 100)) < 100.0);
    CHECK(wb_noise_poisson(&stream, means, counts, 100) == WB_OK && counts[0] == 0.0f);
    CHECK(sum(counts, 100) > 0.0);
}

static void scalars(void) {
    double v[4] = {0, 1, 2, 3}, turned[4], axis[4] = {0, 0, 0, 1};
    CHECK(wb_sincg(0.0, 7.0) == 7.0 && wb_sinc3(0.0) == 1.0);
    CHECK(wb_rotate_axis(v, turned, axis, 0.5) == turned && turned[3] == 3.0);
    CHECK(wb_rotate(v, turned, 0.1, 0.2, 0.3) == turned);
}

int main(void) {
    CHECK(wb_abi_version() == WB_ABI_VERSION);
    CHECK(strlen(wb_version()) >= 5 && strlen(wb_simd_level()) > 0);
    CHECK(strcmp(wb_status_message(WB_OVERLAP), wb_status_message(WB_OK)) != 0);
    scalars();
    arrays();
    rotations();
    noise();
    stages();
    scenes();
    panels();
    printf("ok\n");
    return 0;
}
