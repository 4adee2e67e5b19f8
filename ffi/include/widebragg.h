/* widebragg.h: the C interface of widebragg.

#include <stdio.h>
#include "widebragg.h"

int main(void) {
    // 36 unit cells, a twentieth of a radian from the Bragg peak.
    printf("%.17g\n", wb_sincg(0.05, 36.0));
    return 0;
}

   To build that program, in the root of the repository:

   make -C ffi
   cc -I ffi/include demo.c ffi/build/libwidebragg.a -o demo

   or, after `make -C ffi install PREFIX=...`: cc demo.c $(pkg-config --cflags --libs widebragg) -o demo.

   README.md beside this folder has a scene; examples/ has complete programs.

   Rules for every function. It allocates nothing, keeps no state but which instruction set the processor has, and never
   unwinds: all memory is the caller's, and any thread may call it, as long as no two write the same memory. Functions
   that can refuse return 0 (WB_OK) or a negative status, and then have written nothing but an error record where one was
   handed over. NULL (where not said otherwise), misaligned addresses, arrays too short, outputs that overlap inputs or each
   other, numbers that are NaN or infinite: each is refused. What cannot be checked is the caller's word: that memory
   is there and as long as said.

   Units are in the names: _m metres, _rad radians, _angstrom, _px pixels. Rows are counted from 0 along the slow axis,
   columns along the fast axis; images are slow-major. */

#ifndef WIDEBRAGG_H
#define WIDEBRAGG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- This library ------------------------------------------------------------------------------------------------ */

/* Changes with every change that breaks callers; so does the soname. */
enum { WB_ABI_VERSION = 0 };

/* WB_ABI_VERSION of the library that runs. */
int32_t wb_abi_version(void);

/* Its version, such as "0.1.0"; static. */
const char *wb_version(void);

/* The best instruction set of this processor: "portable", "avx2" or "avx512"; static. */
const char *wb_simd_level(void);

/* Caps on the instruction set. The same library, inputs and level give the same bits on every processor. */
enum wb_simd {
    WB_SIMD_AUTO = 0,     /* the best there is */
    WB_SIMD_PORTABLE = 1, /* what every processor of the build's target has */
    WB_SIMD_AVX2 = 2,     /* AVX2 and FMA, or below */
    WB_SIMD_AVX512 = 3    /* AVX-512 F, DQ and VL, or below */
};

/* ---- Status ------------------------------------------------------------------------------------------------------ */

enum wb_status {
    WB_OK = 0,
    WB_NULL_POINTER = -1,       /* a pointer that must be given is NULL */
    WB_WRONG_LENGTH = -2,       /* an array is too short */
    WB_MISALIGNED = -3,         /* an address is not a multiple of what its type, or WB_ALIGNMENT, asks for */
    WB_OVERLAP = -4,            /* an output overlaps an input, another output, or a scene's memory */
    WB_OUT_OF_RANGE = -5,       /* a number is NaN, infinite or outside what the quantity can be */
    WB_OUTSIDE_DETECTOR = -6,   /* a row or pixel the detector does not have */
    WB_CARRYOVER_MISSING = -7,  /* a c-parity scene needs a carryover */
    WB_STRUCT_SIZE = -8,        /* a struct's size is none that this library knows */
    WB_TOO_LARGE = -9,          /* a count or size does not fit this machine */
    WB_IMPOSSIBLE_CELL = -10,   /* no unit cell has these angles */
    WB_SINGULAR_MATRIX = -11,   /* the matrix has no inverse */
    WB_NOT_MADE = -12,          /* the memory holds no scene, carryover, turns or stream of deviates */
    WB_OTHER_SCENE = -13,       /* the carryover, or the turns, are another scene's */
    WB_LATCH_MISSING = -14      /* wb_scene_set_latch has not been called */
};

/* One line of English, never NULL; static. */
const char *wb_status_message(int32_t status);

/* Characters of a text in wb_error, its final zero included. */
enum { WB_TEXT = 64 };

/* What a call refused. Calls that take one also take NULL. */
typedef struct wb_error {
    int32_t status;
    double value;           /* the number refused; for WB_WRONG_LENGTH the length given; NaN where there is none */
    size_t needed;          /* elements or bytes needed, where a length was refused */
    char quantity[64];      /* such as "wavelength in m" */
    char allowed[64];       /* such as "above 0" */
} wb_error;

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

/* ---- Structure factors ------------------------------------------------------------------------------------------- */

/* F on a dense grid of Miller indices: f[((h - h_min) nk + (k - k_min)) nl + (l - l_min)]. f = NULL with f_len = 0: every
   reflection has default_f. */
typedef struct wb_grid {
    const double *f;
    size_t f_len;           /* how many values f holds: nh nk nl or more */
    int32_t hkl_min[3];     /* smallest h, k, l */
    size_t hkl_len[3];      /* nodes along h, k, l: max - min + 1 */
    double default_f;       /* F of what is outside the grid */
} wb_grid;

/* ---- Functions over arrays --------------------------------------------------------------------------------------- */

/* Each element has the value that it would have alone. NaN in an array gives NaN there; any other argument that is not
   finite is refused. `simd`: an enum wb_simd, WB_SIMD_AUTO for the best level. */

/* out[i] = wb_sincg(x[i], N), x in radians, to 4 units in the last place and 2^-51 N: the second shows next to the zeros, where
   the C expression, which rounds N x, is off by more. */
int32_t wb_sincg_array(const double *x, size_t n, double N, double *out, int32_t simd);

/* out[i] = sin(N pi h[i])/sin(pi h[i]), N pi h never being rounded: 2 units in the last place for N to 1e5. N is whole. */
int32_t wb_sincg_index_array(const double *h, size_t n, double N, double *out, int32_t simd);

/* out[i] = d/dh (sin(N pi h)/sin(pi h))^2 at h[i], in closed form, 0 at whole h: 1e-11 of 2 pi N min(N^2, 1/sin(pi h)^2), and
   2e-11 of the slope itself in the central maximum. N is whole, from 1 to 1e5. */
int32_t wb_sincg_squared_slope_array(const double *h, size_t n, double N, double *out, int32_t simd);

/* f[i] = F at the node nearest to h[i], k[i], l[i], an exact half going down. All values of the grid are checked at each
   call: hand over thousands of indices at a time. */
int32_t wb_nearest_array(const wb_grid *grid, const double *h, const double *k, const double *l, size_t n, double *f,
                         int32_t simd);

/* The same, interpolated through 4 x 4 x 4 nodes; the nearest where they are not all in the grid, with one node to spare
   at the upper end as the reference has it. *fallbacks, unless NULL: how many of these there were. */
int32_t wb_tricubic_array(const wb_grid *grid, const double *h, const double *k, const double *l, size_t n, double *f,
                          uint64_t *fallbacks, int32_t simd);

/* The table of a rotation: for each phi step, for each mosaic domain, a, b, c in m, nine numbers. cell_m: a, b, c at phi =
   0. spindle: unit vector. mode: an enum wb_mode; with WB_CPARITY the table of all sweeps but a stream's first. domains:
   nine numbers each, rows outer; NULL with domain_count = 0: one, the identity. out_len: 9 phi_steps domains or more. */
int32_t wb_orientations(const double *cell_m, double phi0_rad, double phi_step_rad, size_t phi_steps,
                        const double *spindle, int32_t mode, const double *domains, size_t domain_count, double *out,
                        size_t out_len);

/* ---- A scene from plain numbers ---------------------------------------------------------------------------------- */

enum wb_convention {
    WB_MOSFLM = 0,
    WB_XDS = 1,
    WB_ADXV = 2,
    WB_DENZO = 3,
    WB_DIALS = 4,
    WB_CUSTOM = 5, /* axes given one by one; what is not given starts as MOSFLM's, the 2theta axis as y */
    WB_PLACED = 6  /* none: pix0_m, six axes, distance_m and close_distance_m as another program placed them */
};

enum wb_pivot { WB_PIVOT_BEAM = 0, WB_PIVOT_SAMPLE = 1 };

enum wb_shape { WB_SQUARE = 0, WB_ROUND = 1, WB_GAUSS = 2, WB_TOPHAT = 3 };

enum wb_mode {
    WB_SPEC = 0,   /* every phi step rotates the crystal afresh */
    WB_CPARITY = 1 /* the reference's phi carryover and interpolation latch */
};

enum wb_interpolation {
    WB_INTERPOLATE_AUTO = 0, /* as the reference: where the crystal has 2 cells or fewer along an axis */
    WB_INTERPOLATE_NEVER = 1,
    WB_INTERPOLATE_ALWAYS = 2
};

enum wb_precision {
    WB_DOUBLE = 0,
    WB_MIXED = 1 /* sines of the lattice factor in f32: within 1e-5 on pixels above 1e-6 of the maximum */
};

/* Bits of wb_scene_parameters.given: which of the optional fields are given. The others are not read. */
#define WB_GIVEN_CLOSE_DISTANCE UINT64_C(1)
#define WB_GIVEN_X_BEAM UINT64_C(2)
#define WB_GIVEN_Y_BEAM UINT64_C(4)
#define WB_GIVEN_X_CLOSE UINT64_C(8)
#define WB_GIVEN_Y_CLOSE UINT64_C(16)
#define WB_GIVEN_ORG_X UINT64_C(32)
#define WB_GIVEN_ORG_Y UINT64_C(64)
#define WB_GIVEN_FAST UINT64_C(128)
#define WB_GIVEN_SLOW UINT64_C(256)
#define WB_GIVEN_NORMAL UINT64_C(512)
#define WB_GIVEN_BEAM UINT64_C(1024)
#define WB_GIVEN_POLARIZATION UINT64_C(2048)
#define WB_GIVEN_SPINDLE UINT64_C(4096)
#define WB_GIVEN_TWOTHETA UINT64_C(8192)
#define WB_GIVEN_CELL UINT64_C(16384)
#define WB_GIVEN_MATRIX UINT64_C(32768)
#define WB_GIVEN_AXES UINT64_C(65536)
#define WB_GIVEN_ROI UINT64_C(131072)

/* A point of the source. */
typedef struct wb_source {
    double incident[3];     /* unit vector from the source to the sample */
    double lambda_m;
} wb_source;

/* What a scene is made of. wb_scene_defaults sets the reference's defaults; a cell, matrix or axes must be given. */
typedef struct wb_scene_parameters {
    size_t size;                /* set by wb_scene_defaults: which version of this struct it is */
    uint64_t given;             /* WB_GIVEN_ bits; none */

    int32_t convention;         /* enum wb_convention; WB_MOSFLM */
    int32_t pivot;              /* enum wb_pivot, for WB_CUSTOM only; WB_PIVOT_BEAM */
    size_t fast_pixels;         /* 0: ceil(fast_size_m/pixel_m - 1/2) */
    size_t slow_pixels;         /* 0: likewise */
    double pixel_m;             /* 1e-4 */
    double fast_size_m;         /* 0.1024 */
    double slow_size_m;         /* 0.1024 */
    double distance_m;          /* along the beam; 0.1 */
    double close_distance_m;    /* optional: along the normal, wins over distance_m */
    double x_beam_m;            /* optional, as the next five: beam centre in the convention */
    double y_beam_m;
    double x_close_m;           /* foot of the normal */
    double y_close_m;
    double org_x_px;            /* the same in pixels, the centre of the first being 1 */
    double org_y_px;
    double rotation_rad[3];     /* of the detector about lab x, y, z */
    double twotheta_rad;        /* of the detector arm */
    double fast_axis[3];        /* optional, as the next six; read for WB_CUSTOM and WB_PLACED only */
    double slow_axis[3];
    double normal_axis[3];
    double beam_axis[3];
    double polarization_axis[3];
    double spindle_axis[3];
    double twotheta_axis[3];    /* not read for WB_PLACED */
    double pix0_m[3];           /* outer corner of the first pixel; read for WB_PLACED only */
    int32_t point_pixel;        /* not 0: solid angle 1/R^2 */
    int32_t curved;             /* not 0: a spherical detector */

    size_t sensor_layers;       /* 1 */
    double sensor_layer_m;      /* 0: all is captured at the surface */
    double attenuation_per_m;

    double lambda0_m;           /* 1e-10 */
    double cell_angstrom[3];    /* WB_GIVEN_CELL: a, b, c */
    double cell_angles_rad[3];  /*                alpha, beta, gamma */
    double matrix[9];           /* WB_GIVEN_MATRIX: rows x, y, z, columns a*, b*, c*, in units of 1/lambda0 */
    double misset_rad[3];       /* turns cell or matrix about lab x, y, z */
    double direct_m[9];         /* WB_GIVEN_AXES: a, b, c at phi = 0, */
    double reciprocal_per_angstrom[9]; /*         and a*, b*, c*, both used as they are */
    double cells[3];            /* whole numbers along a, b, c; 1 */
    double fudge;               /* 1 */
    int32_t shape;              /* enum wb_shape; WB_SQUARE */

    int32_t mode;               /* enum wb_mode; WB_SPEC */
    double phi0_rad;
    double phi_step_rad;
    size_t phi_steps;           /* 1 */
    const double *domains;      /* rotations of mosaic domains, nine numbers each, rows outer; NULL: none. Copied */
    size_t domain_count;

    const wb_source *sources;   /* NULL: one, along the beam, of lambda0_m. Copied */
    size_t source_count;
    double kahn;                /* polarisation factor: 0 unpolarised, 1 along polarization_axis */
    int32_t polarized;          /* 1; 0: the factor is 1 */

    int32_t simd;               /* enum wb_simd; WB_SIMD_AUTO */
    double fluence_per_m2;      /* photons; 1.25932015286227086e29 */
    double water_m;             /* thickness */
    double d_min_m;             /* resolution limit; 0: none */

    size_t oversample;          /* subpixels along each axis; 0: as many as resolve the spots */
    int32_t oversample_thick;   /* not 0: capture, */
    int32_t oversample_polar;   /*        polarisation, */
    int32_t oversample_omega;   /*        solid angle at every subpixel, multiplied into the running sum */
    int32_t precision;          /* enum wb_precision; WB_DOUBLE */

    size_t roi_fast_min;        /* WB_GIVEN_ROI: what is rendered, bounds included */
    size_t roi_fast_max;
    size_t roi_slow_min;
    size_t roi_slow_max;
    const uint16_t *mask;       /* a value per pixel, 0 where it is skipped; NULL: none. Must outlive the scene */
    size_t mask_len;

    wb_grid grid;               /* structure factors. grid.f must outlive the scene */
    int32_t interpolation;      /* enum wb_interpolation; WB_INTERPOLATE_AUTO */
} wb_scene_parameters;

/* Sets the defaults: wb_scene_defaults(&parameters, sizeof parameters). */
int32_t wb_scene_defaults(wb_scene_parameters *parameters, size_t size);

/* Points of a divergent, polychromatic beam: angles and wavelengths in equal steps. A count of 1, range and step 0: that
   axis is not sampled. */
typedef struct wb_source_grid {
    size_t hdiv_count;          /* across the polarisation axis, outermost */
    double hdiv_range_rad;
    double hdiv_step_rad;
    size_t vdiv_count;          /* along it */
    double vdiv_range_rad;
    double vdiv_step_rad;
    size_t dispersion_count;    /* innermost */
    double dispersion_range;    /* fractions of lambda0_m */
    double dispersion_step;
    int32_t round;              /* not 0: without the corners of the divergence grid, as nanoBragg's -round_div */
} wb_source_grid;

/* Room that wb_sources_fill needs: how many there are with the corners. */
int32_t wb_sources_len(const wb_source_grid *grid, size_t *len);

/* Fills sources for the beam, polarisation axis and lambda0_m of the parameters; *used: how many there are. */
int32_t wb_sources_fill(const wb_scene_parameters *parameters, const wb_source_grid *grid, wb_source *sources,
                        size_t len, size_t *used);

/* A scene, in memory of the caller's: checked, ready to render, used by any number of threads at a time. Its memory needs no
   cleaning up, and cannot be moved. */
typedef struct wb_scene wb_scene;

/* What the memory of scenes and carryovers must be a multiple of. */
enum { WB_ALIGNMENT = 64 };

/* Bytes that the scene of these parameters needs. */
int32_t wb_scene_size(const wb_scene_parameters *parameters, size_t *bytes, wb_error *error);

/* Makes it in `memory`. The parameters are not needed afterwards; mask and structure factors are. */
int32_t wb_scene_make(const wb_scene_parameters *parameters, void *memory, size_t bytes, wb_scene **scene,
                      wb_error *error);

/* What a scene came to: what nanoBragg prints before its loop. */
typedef struct wb_scene_summary {
    size_t size;
    size_t fast_pixels;
    size_t slow_pixels;         /* rows */
    double steps;               /* innermost steps of a pixel, thickness layers not counted */
    size_t oversample;
    size_t sources;
    size_t orientations;        /* phi steps times mosaic domains */
    int32_t carries;            /* not 0: rendering needs a carryover */
    int32_t latch_missing;      /* not 0: rendering needs wb_scene_set_latch first */
    double pix0_m[3];
    double fast_axis[3];
    double slow_axis[3];
    double normal_axis[3];
    double beam_axis[3];
    double polarization_axis[3];
    double spindle_axis[3];
    double distance_m;
    double close_distance_m;
    double fast_beam_m;
    double slow_beam_m;
    double direct_m[9];                /* a, b, c at phi = 0 */
    double reciprocal_per_angstrom[9]; /* a*, b*, c* */
    const char *simd;                  /* name of the level that runs; static */
} wb_scene_summary;

/* wb_scene_summarize(scene, &summary, sizeof summary) */
int32_t wb_scene_summarize(const wb_scene *scene, wb_scene_summary *summary, size_t size);

/* ---- The phi carryover of c-parity scenes ------------------------------------------------------------------------ */

/* At phi = 0 exactly the reference does not rotate the crystal: it finds what the last sweep left. A carryover holds, per
   stream (a thread of the reference: rows in order) or per pixel, what the opening sweep finds; all others find the same. So
   rows and pixels can be rendered in any order. Its block may be saved and restored byte by byte.

   Each use counts hits, so a carryover serves one thread at a time: others take a fork, and are absorbed afterwards. */
typedef struct wb_carryover wb_carryover;

enum wb_carryover_form {
    WB_STREAMS = 0, /* a slot per stream */
    WB_PIXELS = 1   /* a slot per pixel, slow-major */
};

/* Bytes that a carryover of this form needs; `streams`: how many threads the reference would have, 1 or more. */
int32_t wb_carryover_size(const wb_scene *scene, int32_t form, size_t streams, size_t *bytes);

/* Opens it in `memory`. */
int32_t wb_carryover_open(const wb_scene *scene, int32_t form, size_t streams, void *memory, size_t bytes,
                          wb_carryover **carryover);

/* Number of slots. */
int32_t wb_carryover_slots(const wb_carryover *carryover, size_t *count);

typedef struct wb_carryover_slot {
    double vectors_m[9];        /* a, b, c that the opening sweep finds, before mosaic */
    int64_t left_by_slow;       /* the pixel whose sweep left them; -1: nobody's, the unrotated cell */
    int64_t left_by_fast;
    int64_t opening_slow;       /* the pixel whose first sweep opens the slot; -1: none has */
    int64_t opening_fast;
    size_t first_row;           /* rows of the stream */
    size_t end_row;
    uint64_t hits;              /* pixels rendered that found what a sweep had left */
    uint64_t fresh;             /* pixels rendered that found the unrotated cell */
} wb_carryover_slot;

/* What slot i holds. */
int32_t wb_carryover_read(const wb_carryover *carryover, size_t i, wb_carryover_slot *slot);

enum wb_carryover_found { WB_NOT_USED = 0, WB_FRESH = 1, WB_HIT = 2 };

typedef struct wb_carryover_use {
    int32_t found;              /* enum wb_carryover_found */
    int64_t left_by_slow;       /* with WB_HIT the pixel whose sweep left the vectors, else -1 */
    int64_t left_by_fast;
} wb_carryover_use;

/* What the first sweep of a pixel finds; nothing is rendered or counted. carryover: NULL where the scene carries nothing. */
int32_t wb_carryover_use_at(const wb_carryover *carryover, const wb_scene *scene, size_t slow, size_t fast,
                            wb_carryover_use *found);

/* A copy for another thread, counts at zero, in `memory` of the size that the original asked for. */
int32_t wb_carryover_fork(const wb_carryover *carryover, void *memory, size_t bytes, wb_carryover **copy);

/* Adds the counts of a fork. */
int32_t wb_carryover_absorb(wb_carryover *carryover, const wb_carryover *fork);

/* ---- The latch of c-parity scenes that interpolate --------------------------------------------------------------- */

/* The reference stops interpolating, for good, at the first evaluation whose nodes are not all in the grid. Where
   summary.latch_missing is set: find it, set it, then render. */
typedef struct wb_latch {
    int32_t found;              /* 0: it interpolates to the end */
    size_t slow;
    size_t fast;
    uint64_t evaluation;        /* within the pixel, over layer, subpixel, source, phi and domain */
} wb_latch;

/* Looks through `rows` rows from first_row on. Of several calls, the first in image order counts. */
int32_t wb_scene_find_latch(const wb_scene *scene, size_t first_row, size_t rows, wb_carryover *carryover,
                            wb_latch *latch);

/* The only call that changes a scene: no other thread may use it meanwhile. */
int32_t wb_scene_set_latch(wb_scene *scene, const wb_latch *latch);

/* ---- Rendering --------------------------------------------------------------------------------------------------- */

/* Renders `rows` rows from first_row on into image[0] .. image[rows fast_pixels - 1]; len is how many pixels image has room
   for. Pixels outside the region of interest or masked become 0. carryover: NULL where the scene carries nothing. A
   pixel's bits depend on the scene alone: not on the rows rendered with it, their order, or threads. */
int32_t wb_render_rows(const wb_scene *scene, size_t first_row, size_t rows, float *image, size_t len,
                       wb_carryover *carryover);

/* The same, not rounded to float. */
int32_t wb_render_rows_f64(const wb_scene *scene, size_t first_row, size_t rows, double *image, size_t len,
                           wb_carryover *carryover);

/* What rendering rows did beside writing pixels. */
typedef struct wb_row_report {
    uint64_t pixels;            /* rendered: inside the region of interest and not masked */
    uint64_t fallbacks;         /* interpolations that took the nearest node for want of nodes */
    double omega_sum_sr;        /* solid angle over these pixels, layers and subpixels */
} wb_row_report;

/* wb_render_rows with its report. */
int32_t wb_render_rows_report(const wb_scene *scene, size_t first_row, size_t rows, float *image, size_t len,
                              wb_carryover *carryover, wb_row_report *report);

/* One pixel, with the bits it has among its neighbours. */
int32_t wb_render_pixel(const wb_scene *scene, size_t slow, size_t fast, double *value, wb_carryover *carryover);

/* ---- Derivatives ------------------------------------------------------------------------------------------------- */

/* A pixel I is a smooth function of the variables v of its scene; these derivatives come in two directions, each at about twice
   the cost of rendering or more, by what is wanted:

     pullback      dL/dv = sum over pixels of w dI/dv      the weights w being dL/dI of any loss L of the pixels
     pushforward   dI/dp = dI/dv . dv/dp                   an image for each direction dv/dp

   wb_direction gives dv/dp of what users move, so dL/dp = wb_dot(&sums, &direction), after one pullback for all p.

   Where an image is not differentiable, the derivative is that of the branch taken: of the nearest structure factor, inside or
   outside a tophat, of the counts of cells, steps and subpixels as they are. Which phi are exactly 0
   stays as it is: in c-parity such a step moves with the one whose vectors it sees. WB_MIXED is differentiated as WB_DOUBLE. */

/* One number for each variable: derivatives by them, or a direction in which they move. 38 doubles, without padding. */
typedef struct wb_variables {
    double cell_m[9];           /* a, b, c at phi = 0 */
    double reciprocal_per_angstrom[9]; /* a*, b*, c* at phi = 0; only gaussian spots depend on them */
    double pix0_m[3];           /* outer corner of the first pixel */
    double fast_axis[3];
    double slow_axis[3];
    double normal_axis[3];
    double close_distance_m;    /* in the solid angle */
    double distance_m;          /* the radius of a curved detector */
    double phi0_rad;            /* how much further the sweep is turned than its phi say */
    double phi_step_rad;        /* the same of its step */
    double mosaic_scale;        /* factor on the angles of the mosaic rotations */
    double lambda_scale;        /* factor on all wavelengths */
    double fluence_scale;       /* factor on the fluence */
    double default_f;           /* F of reflections outside the grid */
} wb_variables;

/* The derivatives that are computed; others stay 0. That by the fluence is always there, and costs nothing. */
#define WB_WANT_CELL UINT64_C(1) /* by cell_m, and reciprocal_per_angstrom of gaussian spots */
#define WB_WANT_DETECTOR UINT64_C(2) /* by pix0_m, axes and distances */
#define WB_WANT_WAVELENGTH UINT64_C(4)
#define WB_WANT_DEFAULT_F UINT64_C(8)
#define WB_WANT_PHI UINT64_C(16) /* by phi0_rad and phi_step_rad */
#define WB_WANT_MOSAIC UINT64_C(32)
#define WB_WANT_ALL UINT64_C(63)

/* What users move, and its unit. A move of a scene's parameter by x moves its variables by x dv/dp. */
enum wb_parameter {
    WB_BY_A_X = 0, /* components of the cell vectors at phi = 0, in Angstrom */
    WB_BY_A_Y = 1,
    WB_BY_A_Z = 2,
    WB_BY_B_X = 3,
    WB_BY_B_Y = 4,
    WB_BY_B_Z = 5,
    WB_BY_C_X = 6,
    WB_BY_C_Y = 7,
    WB_BY_C_Z = 8,
    WB_BY_A = 9, /* lengths in Angstrom, angles in rad; a matrix keeps the line of a and the plane of b */
    WB_BY_B = 10,
    WB_BY_C = 11,
    WB_BY_ALPHA = 12,
    WB_BY_BETA = 13,
    WB_BY_GAMMA = 14,
    WB_BY_MISSET_X = 15, /* misset_rad; with WB_GIVEN_AXES a turn of these about lab x, y, z */
    WB_BY_MISSET_Y = 16,
    WB_BY_MISSET_Z = 17,
    WB_BY_PHI0 = 18, /* phi0_rad */
    WB_BY_OSC = 19,  /* phi_steps times phi_step_rad: the steps share it */
    WB_BY_WAVELENGTH = 20, /* lambda0_m, the wavelengths of all sources with it; scales a matrix, but not WB_GIVEN_AXES */
    WB_BY_ORIGIN_X = 21, /* all of the detector along lab x, y, z, in m; distances follow */
    WB_BY_ORIGIN_Y = 22,
    WB_BY_ORIGIN_Z = 23,
    WB_BY_DISTANCE = 24, /* distance_m, with it a close_distance_m that is given; as the next five not for WB_PLACED */
    WB_BY_BEAM_CENTRE_X = 25, /* x_beam_m, y_beam_m; for WB_XDS and WB_DIALS org_x_px, org_y_px, but in m */
    WB_BY_BEAM_CENTRE_Y = 26,
    WB_BY_DETECTOR_ROTATION_X = 27, /* rotation_rad */
    WB_BY_DETECTOR_ROTATION_Y = 28,
    WB_BY_DETECTOR_ROTATION_Z = 29,
    WB_BY_FLUENCE_SCALE = 30, /* a factor on the fluence, 1 being what it is */
    WB_BY_MOSAIC_SCALE = 31,  /* a factor on the angles of the rotations in domains, 1 being what they are */
    WB_BY_DEFAULT_F = 32      /* grid.default_f */
};

/* How many there are. */
enum { WB_PARAMETERS = 33 };

/* *direction = dv/dp of the scene that these parameters make; parameter: an enum wb_parameter. Sources, domains, mask and
   structure factors are not looked at. A detector that is WB_PLACED has no distance, beam centre or rotation to be moved by: such
   directions are written into a wb_variables as the placing program has them. */
int32_t wb_direction(const wb_scene_parameters *parameters, int32_t parameter, wb_variables *direction,
                     wb_error *error);

/* The sum of products of all 38 numbers: dL/dp. NaN where a pointer is NULL or misaligned. */
double wb_dot(const wb_variables *sums, const wb_variables *direction);

/* *wanted = the WB_WANT_ bits that derivatives along these directions need. */
int32_t wb_wanted_along(const wb_variables *directions, size_t count, uint64_t *wanted);

/* How the orientations of a scene move, in memory of the caller's: read by any number of threads at a time. It needs no
   cleaning up, and cannot be moved. */
typedef struct wb_turns wb_turns;

/* Bytes that it needs: 72 for each orientation, as many again for WB_WANT_MOSAIC, twice as many for WB_WANT_PHI. wanted: sum of
   WB_WANT_ bits. */
int32_t wb_turns_size(const wb_scene *scene, uint64_t wanted, size_t *bytes);

/* Makes it in `memory`, which starts at a multiple of WB_ALIGNMENT. It serves this scene and others of the same crystal and
   rotation. */
int32_t wb_turns_make(const wb_scene *scene, uint64_t wanted, void *memory, size_t bytes, wb_turns **turns);

/* Pullback of `rows` rows from first_row on: adds to *sums, which the caller sets to 0 before the first call, the sum over
   their pixels of weights[i] dI_i/dv. weights: rows times fast_pixels finite numbers, slow-major, in units of the loss over
   those of pixels; len is how many there are. Pixels outside the region of interest or masked count nothing.
   by_f: NULL with by_f_len = 0, or as many numbers as grid.f has, to which the same by each structure factor is added.
   carryover: NULL where the scene carries nothing; it is read, but not counted.
   The sums of the rows are added one after the other: to have the same bits from any number of threads, pull back row by row
   into sums of their own, and add these in order. */
int32_t wb_pullback_rows(const wb_scene *scene, const wb_turns *turns, size_t first_row, size_t rows,
                         const double *weights, size_t len, wb_variables *sums, double *by_f, size_t by_f_len,
                         wb_carryover *carryover, wb_error *error);

/* Pushforward: how fast the pixels of `rows` rows from first_row on change along each of `count` directions. images: for each
   direction rows times fast_pixels numbers, slow-major, one image after the other; len is how many there is room for. The unit is
   that of pixels over that of the parameter. Pixels outside the region of interest or masked become 0. Directions move nothing
   but what the turns were made for. */
int32_t wb_pushforward_rows(const wb_scene *scene, const wb_turns *turns, size_t first_row, size_t rows,
                            const wb_variables *directions, size_t count, double *images, size_t len,
                            wb_carryover *carryover, wb_error *error);

/* ---- Noise ------------------------------------------------------------------------------------------------------- */

/* A stream of the reference's deviates: same seed, same deviates. Opaque; a copy goes on by itself. */
typedef struct wb_noise {
    uint64_t opaque[40];
} wb_noise;

/* Starts a stream as -seed does. */
int32_t wb_noise_seed(wb_noise *noise, int64_t seed);

/* n deviates uniform in (0, 1): ran1. */
int32_t wb_noise_uniform(wb_noise *noise, float *deviates, size_t n);

/* n deviates of mean 0 and variance 1: gaussdev. */
int32_t wb_noise_gauss(wb_noise *noise, float *deviates, size_t n);

/* A Poisson deviate for each mean: poidev. A row of a float image gives a row of its noise image, before adc. */
int32_t wb_noise_poisson(wb_noise *noise, const float *means, float *counts, size_t n);

/* Rotations of mosaic domains as -mosaic and -mosaic_seed draw them, 9 count numbers. The reference's seed is 12345678. */
int32_t wb_mosaic_domains(double spread_rad, int64_t seed, double *domains, size_t count);

/* The three angles of -misset random with -misset_seed, for wb_scene_parameters.misset_rad. */
int32_t wb_random_misset(int64_t seed, double *angles_rad);

#ifdef __cplusplus
}
#endif

#endif
