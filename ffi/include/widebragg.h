/* widebragg.h: the C interface of widebragg, which simulates X-ray diffraction images of nanocrystals.

#include <stdio.h>
#include <stdlib.h>
#include "widebragg.h"

int main(void) {
    static float image[1024 * 1024];
    wb_scene_parameters p;
    wb_scene *scene;
    wb_error error;
    size_t bytes;

    wb_scene_defaults(&p, sizeof p); // 1024 x 1024 pixels of 0.1 mm, 100 mm away; 1 Angstrom
    p.given = WB_GIVEN_CELL;
    for (int i = 0; i < 3; i++) {
        p.cell_angstrom[i] = 40.0 + 10.0 * i;
        p.cell_angles_rad[i] = 1.5707963267948966;
        p.misset_rad[i] = 0.3;
        p.cells[i] = 10.0;
    }
    p.grid.default_f = 100.0; // the structure factor of every reflection

    if (wb_scene_size(&p, &bytes, &error) != WB_OK ||
        wb_scene_make(&p, aligned_alloc(WB_ALIGNMENT, bytes), bytes, &scene, &error) != WB_OK) {
        fprintf(stderr, "%s: %s\n", error.quantity, wb_status_message(error.status));
        return 1;
    }
    if (wb_render_rows(scene, 0, 1024, image, 1024 * 1024, NULL) != WB_OK) return 1;
    fwrite(image, sizeof *image, 1024 * 1024, stdout);
    free(scene);
    return 0;
}

   This program writes an image of 1024 x 1024 floats. To build and run it in the root of the repository:

   make -C ffi
   cc -std=c11 -I ffi/include demo.c ffi/build/libwidebragg.a -lm -o demo
   ./demo >image.bin

   After `make -C ffi install PREFIX=...`, with .../lib/pkgconfig in PKG_CONFIG_PATH, build it with:

   cc -std=c11 demo.c $(pkg-config --cflags --libs widebragg) -lm -o demo

   README.md in the folder above explains the interface; the folder examples/ there has complete programs.

   Rules for all functions. A function allocates nothing, keeps no state except which instruction set the
   processor supports, and never unwinds. All memory belongs to the caller. Any thread may call any function,
   as long as no thread writes memory that another thread uses.

   A function that can fail returns 0 (WB_OK) or a negative status. If it fails, it has written nothing except
   an error record, if one was passed. These are errors: NULL (unless a function accepts it), misaligned
   addresses, arrays that are too short, outputs that overlap inputs or each other, and numbers that are NaN,
   infinite or out of range. The caller must guarantee what a function cannot check: that memory exists, is as
   long as stated, and, if it is read, has been initialised.

   Names contain units: _m metres, _rad radians, _angstrom, _px pixels. Rows are counted from 0 along the slow
   axis, columns from 0 along the fast axis. Images are slow-major: row by row. */

#ifndef WIDEBRAGG_H
#define WIDEBRAGG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- This library -------------------------------------------------------------------------------------- */

/* The version of the binary interface, which is also that of the soname. It increases with every
   incompatible change. */
enum { WB_ABI_VERSION = 0 };

/* Returns WB_ABI_VERSION of the loaded library. */
int32_t wb_abi_version(void);

/* Returns the version of the library, such as "0.1.0"; the string is static. */
const char *wb_version(void);

/* Returns the best instruction set of this processor: "portable", "avx2" or "avx512"; static. */
const char *wb_simd_level(void);

/* Limits of the instruction set. The same library, inputs and instruction set give the same bits on every
   processor. */
enum wb_simd {
    WB_SIMD_AUTO = 0,     /* the best that the processor supports */
    WB_SIMD_PORTABLE = 1, /* the instructions of every processor of the build's target */
    WB_SIMD_AVX2 = 2,     /* at most AVX2 and FMA */
    WB_SIMD_AVX512 = 3    /* at most AVX-512 F, DQ and VL */
};

/* ---- Status -------------------------------------------------------------------------------------------- */

enum wb_status {
    WB_OK = 0,
    WB_NULL_POINTER = -1,       /* a required pointer is NULL */
    WB_WRONG_LENGTH = -2,       /* an array is too short */
    WB_MISALIGNED = -3,         /* an address does not have the alignment of its type, or WB_ALIGNMENT */
    WB_OVERLAP = -4,            /* an output overlaps an input, another output or an object of the library */
    WB_OUT_OF_RANGE = -5,       /* a number is NaN, infinite or out of range */
    WB_OUTSIDE_DETECTOR = -6,   /* a row or pixel is outside the detector */
    WB_CARRYOVER_MISSING = -7,  /* a c-parity scene needs a carryover */
    WB_STRUCT_SIZE = -8,        /* the size of a struct is unknown to this version of the library */
    WB_TOO_LARGE = -9,          /* a count or size exceeds the address space */
    WB_IMPOSSIBLE_CELL = -10,   /* no unit cell has these angles */
    WB_SINGULAR_MATRIX = -11,   /* the matrix has no inverse */
    WB_NOT_MADE = -12,          /* the memory does not hold the object that is meant, made by this library */
    WB_OTHER_SCENE = -13,       /* the carryover or the turns belong to another scene */
    WB_LATCH_MISSING = -14,     /* wb_scene_set_latch has not been called */
    WB_INTERNAL = -15,          /* an internal error without a status of its own: a fault of the library */
    WB_MOVED = -16              /* an object was copied or moved from where it was made */
};

/* Returns a one-line message in English; the string is static and never NULL. Later versions may return a
   status that this header does not list: treat every negative status as a failure. */
const char *wb_status_message(int32_t status);

/* Characters of a text in wb_error, including the final zero. */
enum { WB_TEXT = 64 };

/* Why a call failed. Functions that fill an error record also accept NULL. */
typedef struct wb_error {
    int32_t status;
    double value;           /* the rejected number or, for WB_WRONG_LENGTH, length; otherwise NaN */
    size_t needed;          /* for WB_WRONG_LENGTH the number of elements or bytes needed */
    char quantity[64];      /* the name of the quantity, such as "wavelength in m" */
    char allowed[64];       /* its allowed values, such as "above 0" */
} wb_error;

/* ---- Scalar functions: replacements of nanoBragg's own, one value at a time -------------------------------

   They have no state and allocate nothing; any thread may call them. With glibc, none is slower than the C
   expression that it replaces. Angles and phases are in radians. A vector has four elements: 1, 2, 3 are x,
   y, z; element 0 holds a magnitude, which only wb_polarization_factor writes. Input and output may be the
   same vector. If a pointer is NULL, nothing is written, and a returned number is NaN. NaN in, NaN out. */

/* The interference function of N unit cells: sin(N x)/sin(x), and N at x = 0. Replaces nanoBragg's `sincg`.
   x: phase. N: number of cells. Accuracy: 4 units in the last place for the given x, |x| <= 2^30 and whole N
   up to 1e5. (The C expression itself is less accurate, because it rounds N x.) Other finite arguments: the
   value of the C expression. NaN or infinite x: NaN. The result has the same bits on every CPU. */
double wb_sincg(double x, double N);

/* The transform of a sphere: 3 (sin(x)/x - cos(x))/x^2, and 1 at x = 0. Replaces `sinc3`, without its loss of
   digits near 0. Accuracy: 1e-15 of max(1, 1/x^2). */
double wb_sinc3(double x);

/* Rotates v about the unit vector axis by phi, right-handed, into newv, which it returns. The axis is not
   normalised. Replaces `rotate_axis`. */
double *wb_rotate_axis(const double *v, double *newv, const double *axis, double phi);

/* Rotates v about x by phix, then about y by phiy, then about z by phiz, right-handed, into newv, which it
   returns. Replaces `rotate`. */
double *wb_rotate(const double *v, double *newv, double phix, double phiy, double phiz);

/* Sets *y to the value at (x1, x2, x3) of the cubic Lagrange interpolation of ya[i][j][m], given at (x1a[i],
   x2a[j], x3a[m]) with i, j, m = 0..3. The four nodes of an axis must be distinct. Replaces `polin3`. */
void wb_polin3(const double *x1a, const double *x2a, const double *x3a, double ***ya, double x1, double x2,
               double x3, double *y);

/* Kahn's polarisation factor for a polarised fraction kahn_factor. Normalises the three vectors in place and
   sets their element 0 to 1; a vector of length 0 stays as it is, and its element 0 becomes 0. Replaces
   `polarization_factor`. */
double wb_polarization_factor(double kahn_factor, double *incident, double *diffracted, double *axis);

/* ---- Structure factors --------------------------------------------------------------------------------- */

/* Structure factors, in electrons, on a dense grid of Miller indices: f[((h - h_min) nk + (k - k_min)) nl +
   (l - l_min)]. With f = NULL and f_len = 0, every reflection has default_f. */
typedef struct wb_grid {
    const double *f;
    size_t f_len;           /* the number of values in f: at least nh nk nl */
    int32_t hkl_min[3];     /* the smallest h, k, l */
    size_t hkl_len[3];      /* nh, nk, nl: the number of nodes along h, k, l, which is max - min + 1 */
    double default_f;       /* the structure factor outside the grid */
} wb_grid;

/* ---- Functions over arrays ----------------------------------------------------------------------------- */

/* The value of an element does not depend on the other elements. NaN in an array gives NaN in the result; any
   other number that is not finite is an error. simd: an enum wb_simd; WB_SIMD_AUTO is the best. */

/* out[i] = wb_sincg(x[i], N), x in radians. Accuracy: 4 units in the last place plus 2^-51 N. The second term
   matters next to the zeros, where the C expression, which rounds N x, is less accurate. */
int32_t wb_sincg_array(const double *x, size_t n, double N, double *out, int32_t simd);

/* out[i] = sin(N pi h[i])/sin(pi h[i]), without rounding N pi h. N must be whole. Accuracy: 2 units in the
   last place for N up to 1e5. */
int32_t wb_sincg_index_array(const double *h, size_t n, double N, double *out, int32_t simd);

/* out[i] = d/dh (sin(N pi h)/sin(pi h))^2 at h[i], in closed form; 0 at whole h. N must be whole, from 1 to
   1e5. Accuracy: 1e-11 of 2 pi N min(N^2, 1/sin(pi h)^2), and 2e-11 of the derivative itself in the central
   maximum. */
int32_t wb_sincg_squared_slope_array(const double *h, size_t n, double N, double *out, int32_t simd);

/* f[i] = the structure factor at the node nearest to h[i], k[i], l[i]; an exact half is rounded down. Each
   call checks all values of the grid, so pass thousands of indices at a time. */
int32_t wb_nearest_array(const wb_grid *grid, const double *h, const double *k, const double *l, size_t n,
                         double *f, int32_t simd);

/* f[i] = the structure factor interpolated through the surrounding 4 x 4 x 4 nodes. As in the reference, the
   nearest node is used unless min + 2 <= h[i] <= max - 2, and likewise for k and l. *fallbacks, unless NULL,
   is set to the number of elements for which the nearest node was used. */
int32_t wb_tricubic_array(const wb_grid *grid, const double *h, const double *k, const double *l, size_t n,
                          double *f, uint64_t *fallbacks, int32_t simd);

/* Fills out with the orientations of a rotation: a, b, c in m for each phi step and, within a step, each
   mosaic domain. cell_m: a, b, c at phi = 0. spindle: unit vector. mode: an enum wb_mode; with WB_CPARITY the
   result is valid for all sweeps except the first of a stream. domains: a rotation matrix, row by row, for
   each domain; NULL with domain_count = 0: a single domain that is not rotated. out_len: at least 9 times the
   number of phi steps times the number of domains. */
int32_t wb_orientations(const double *cell_m, double phi0_rad, double phi_step_rad, size_t phi_steps,
                        const double *spindle, int32_t mode, const double *domains, size_t domain_count,
                        double *out, size_t out_len);

/* ---- A scene from plain numbers ------------------------------------------------------------------------ */

enum wb_convention {
    WB_MOSFLM = 0,
    WB_XDS = 1,
    WB_ADXV = 2,
    WB_DENZO = 3,
    WB_DIALS = 4,
    WB_CUSTOM = 5, /* individual axes; those not given are those of MOSFLM, and the 2theta axis is y */
    WB_PLACED = 6  /* no convention: pix0_m, six axes, distance_m and close_distance_m are used as given */
};

/* The point that detector rotations leave in place. */
enum wb_pivot { WB_PIVOT_BEAM = 0, WB_PIVOT_SAMPLE = 1 };

/* The shape of the crystal: a parallelepiped, a sphere, gaussian spots, or spots with a sharp edge. */
enum wb_shape { WB_SQUARE = 0, WB_ROUND = 1, WB_GAUSS = 2, WB_TOPHAT = 3 };

/* How distances from a reflection are measured: in 1/angstrom, or in indices, as simtbx measures them. Only gauss and tophat
   spots differ. */
enum wb_spot_metric { WB_RECIPROCAL = 0, WB_INDEX = 1 };

/* Whose polarisation a pixel has: that of its first contribution, as the reference, of its last, as simtbx, or of its centre,
   as diffBragg. */
enum wb_polarized_at { WB_FIRST = 0, WB_LAST = 1, WB_CENTRE = 2 };

enum wb_mode {
    WB_SPEC = 0,   /* the physics: every step is rotated, every term has its own factors */
    WB_CPARITY = 1 /* the reference, with what it does at phi = 0 and with interpolation, layers, flags, weights, water */
};

enum wb_interpolation {
    WB_INTERPOLATE_AUTO = 0, /* as the reference: if the crystal has 2 cells or fewer along an axis */
    WB_INTERPOLATE_NEVER = 1,
    WB_INTERPOLATE_ALWAYS = 2
};

enum wb_precision {
    WB_DOUBLE = 0,
    WB_MIXED = 1 /* sines in single precision: within 1e-5 for pixels above 1e-6 of the maximum */
};

/* Bits of wb_scene_parameters.given, one for each optional field. A field without its bit is not read; other
   bits are errors. */
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

/* A point of the X-ray source. */
typedef struct wb_source {
    double incident[3];     /* unit vector from the source to the sample */
    double lambda_m;
} wb_source;

/* The parameters of a scene. wb_scene_defaults sets the defaults of the reference, which the comments give; in
   addition, exactly one of cell, matrix or axes must be given. (A matrix with a cell is one: it takes the
   lengths of the axes from the cell.) Arrays are NULL or as long as their count says, and initialised. */
typedef struct wb_scene_parameters {
    size_t size;                /* of this struct, which identifies its version; set by wb_scene_defaults */
    uint64_t given;             /* sum of WB_GIVEN_ bits; 0 */

    int32_t convention;         /* enum wb_convention; WB_MOSFLM */
    int32_t pivot;              /* enum wb_pivot, read only for WB_CUSTOM; WB_PIVOT_BEAM */
    size_t fast_pixels;         /* 0: ceil(fast_size_m/pixel_m - 1/2) */
    size_t slow_pixels;         /* 0: ceil(slow_size_m/pixel_m - 1/2) */
    double pixel_m;             /* edge of a pixel; 1e-4 */
    double fast_size_m;         /* 0.1024 */
    double slow_size_m;         /* 0.1024 */
    double distance_m;          /* from sample to detector along the beam; 0.1 */
    double close_distance_m;    /* optional: along the normal, above 0; replaces distance_m */
    double x_beam_m;            /* optional, like the next five: the beam centre in the convention */
    double y_beam_m;
    double x_close_m;           /* the foot of the normal through the sample */
    double y_close_m;
    double org_x_px;            /* the same in pixels; the centre of the first pixel is 1 */
    double org_y_px;
    double rotation_rad[3];     /* of the detector about lab x, y, z */
    double twotheta_rad;        /* of the detector arm */
    double fast_axis[3];        /* optional, like the next six; read only for WB_CUSTOM and WB_PLACED */
    double slow_axis[3];
    double normal_axis[3];      /* as nanoBragg, fast x slow replaces it if its length is not exactly 1, except in
                                   WB_SPEC on a mirrored detector, where only its length is corrected */
    double beam_axis[3];
    double polarization_axis[3]; /* the E vector */
    double spindle_axis[3];
    double twotheta_axis[3];    /* not read for WB_PLACED */
    double pix0_m[3];           /* the outer corner of the first pixel; read only for WB_PLACED */
    int32_t point_pixel;        /* not 0: the solid angle of a pixel is 1/R^2 */
    int32_t curved;             /* not 0: the detector is a sphere around the sample */

    size_t sensor_layers;       /* layers in which absorption is computed; 1 */
    double sensor_layer_m;      /* thickness of a layer; 0: all photons are absorbed at the surface */
    double attenuation_per_m;   /* attenuation coefficient of the sensor */

    double lambda0_m;           /* central wavelength; 1e-10 */
    double cell_angstrom[3];    /* WB_GIVEN_CELL: a, b, c, */
    double cell_angles_rad[3];  /*                and alpha, beta, gamma */
    double matrix[9];           /* WB_GIVEN_MATRIX: rows x, y, z, columns a*, b*, c*, in units of 1/lambda0 */
    double misset_rad[3];       /* rotates the cell or the matrix about lab x, y, z */
    double direct_m[9];         /* WB_GIVEN_AXES: a, b, c at phi = 0, */
    double reciprocal_per_angstrom[9]; /*         and a*, b*, c*; both are used as given */
    double cells[3];            /* unit cells along a, b, c, with fractions; 1 */
    double fudge;               /* scales the spots of round, gauss and tophat shapes; 1 */
    double gauss_cutoff;        /* gauss spots are 0 where fudge r^2/0.63 is this or more; HUGE_VAL: nowhere */
    double coupling[3];         /* ab, ac, bc of the symmetric N matrix whose diagonal is `cells`; index metric; 0 */
    int32_t shape;              /* enum wb_shape; WB_SQUARE */
    int32_t spot_metric;        /* enum wb_spot_metric; WB_RECIPROCAL */

    int32_t mode;               /* enum wb_mode; WB_SPEC */
    double phi0_rad;            /* first phi; 0 */
    double phi_step_rad;        /* 0 */
    size_t phi_steps;           /* 1 */
    const double *domains;      /* a rotation matrix, row by row, for each mosaic domain; copied */
    size_t domain_count;        /* domains = NULL with 0: one domain, not rotated */

    const wb_source *sources;   /* copied */
    size_t source_count;        /* sources = NULL with 0: one source along the beam, with lambda0_m */
    const double *source_weights; /* source_count weights, of which the ratios count, in WB_SPEC; NULL: all alike */
    const uint32_t *source_grids; /* source_count indices below grid_count; NULL: all sources have the first grid */
    double kahn;                /* Kahn's polarisation factor, -1 to 1: 0 unpolarised, 1 along polarization_axis; 0 */
    int32_t polarized;          /* 0: the polarisation factor of a pixel is 1; 1 */
    int32_t polarized_at;       /* enum wb_polarized_at; WB_FIRST */

    int32_t simd;               /* enum wb_simd; WB_SIMD_AUTO */
    double fluence_per_m2;      /* photons; 1.25932015286227086e29 */
    double water_m;             /* thickness of water in the beam; 0 */
    double d_min_m;             /* resolution limit; 0: none */

    size_t oversample;          /* subpixels along each axis; 0: enough to resolve the spots */
    int32_t oversample_thick;   /* not 0: use the absorption of each subpixel, not of the first alone, */
    int32_t oversample_polar;   /*        its polarisation, */
    int32_t oversample_omega;   /*        or its solid angle */
    int32_t precision;          /* enum wb_precision; WB_DOUBLE */

    size_t roi_fast_min;        /* WB_GIVEN_ROI: the first and the last column and row to render */
    size_t roi_fast_max;
    size_t roi_slow_min;
    size_t roi_slow_max;
    const uint16_t *mask;       /* for each pixel, slow-major, 0 to skip it; must outlive the scene */
    size_t mask_len;            /* mask = NULL with 0: no pixel is skipped */

    wb_grid grid;               /* structure factors. grid.f must outlive the scene */
    size_t grid_count;          /* grids over this box, one after the other in grid.f, for sources of different energies,
                                   which choose by source_grids; 1 */
    int32_t interpolation;      /* enum wb_interpolation; WB_INTERPOLATE_AUTO */
} wb_scene_parameters;

/* Sets the defaults. Call it as wb_scene_defaults(&parameters, sizeof parameters). */
int32_t wb_scene_defaults(wb_scene_parameters *parameters, size_t size);

/* The sources of a divergent, polychromatic beam: angles and wavelengths in equal steps. An axis that is not
   sampled has a count of 1 and a range and step of 0. */
typedef struct wb_source_grid {
    size_t hdiv_count;          /* divergence across the polarisation axis; the outermost loop */
    double hdiv_range_rad;
    double hdiv_step_rad;
    size_t vdiv_count;          /* divergence along the polarisation axis */
    double vdiv_range_rad;
    double vdiv_step_rad;
    size_t dispersion_count;    /* wavelengths; the innermost loop */
    double dispersion_range;    /* range and step are fractions of lambda0_m */
    double dispersion_step;
    int32_t round;              /* not 0: omit the corners of the divergence grid, like -round_div */
} wb_source_grid;

/* Sets *len to the number of sources that wb_sources_fill needs room for: as many as there are with the
   corners. */
int32_t wb_sources_len(const wb_source_grid *grid, size_t *len);

/* Fills sources for the beam, polarisation axis and lambda0_m of the parameters, and sets *used to their
   number. sources[*used] and later elements are not defined afterwards. */
int32_t wb_sources_fill(const wb_scene_parameters *parameters, const wb_source_grid *grid, wb_source *sources,
                        size_t len, size_t *used);

/* A scene in memory of the caller: checked and ready to render. Any number of threads may use it at the same
   time. It contains pointers to its own memory and knows its address: a copy at another address, such as
   memcpy, realloc or a restored file makes, is refused with WB_MOVED. When it is no longer needed, the caller
   frees its memory. */
typedef struct wb_scene wb_scene;

/* The memory of scenes, carryovers, turns and backgrounds starts at a multiple of this. */
enum { WB_ALIGNMENT = 64 };

/* Sets *bytes to the size of the scene of these parameters, a multiple of WB_ALIGNMENT. */
int32_t wb_scene_size(const wb_scene_parameters *parameters, size_t *bytes, wb_error *error);

/* Makes the scene in memory. The mask and the structure factors must then stay in place, unchanged; the
   parameters and the other arrays need not. */
int32_t wb_scene_make(const wb_scene_parameters *parameters, void *memory, size_t bytes, wb_scene **scene,
                      wb_error *error);

/* The derived quantities of a scene, which nanoBragg prints before its loop. */
typedef struct wb_scene_summary {
    size_t size;                /* of this struct */
    size_t fast_pixels;
    size_t slow_pixels;         /* the number of rows */
    double steps;               /* innermost steps of a pixel, not counting the layers of the sensor */
    size_t oversample;          /* subpixels along each axis */
    size_t sources;             /* number of sources */
    size_t orientations;        /* number of phi steps times number of mosaic domains */
    int32_t carries;            /* not 0: rendering needs a carryover */
    int32_t latch_missing;      /* not 0: wb_scene_set_latch must be called before rendering */
    double pix0_m[3];           /* the outer corner of the first pixel */
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
    const char *simd;                  /* name of the instruction set in use; static */
} wb_scene_summary;

/* Sets *summary. Call it as wb_scene_summarize(scene, &summary, sizeof summary). */
int32_t wb_scene_summarize(const wb_scene *scene, wb_scene_summary *summary, size_t size);

/* ---- The phi carryover of c-parity scenes -------------------------------------------------------------- */

/* At a phi of exactly 0 the reference does not rotate the crystal: it uses the cell vectors that the previous
   phi step or sweep left. A carryover holds what the first sweep of a stream finds. (A stream is a thread of
   the reference, which renders its rows in order.) All other sweeps find the same vectors, so rows and pixels
   can be rendered in any order. A carryover may be saved and restored byte by byte, to any address.

   What a carryover holds depends on the cell and its rotation, on the size of the detector, on the region of
   interest and the mask and, if there is a resolution limit, on geometry, sampling and sources. It fits scenes
   that agree in all of these; other scenes refuse it with WB_OTHER_SCENE.

   A carryover counts its uses, so only one thread at a time may use it. Other threads use forks, whose counts
   are added to the original afterwards. */
typedef struct wb_carryover wb_carryover;

enum wb_carryover_form {
    WB_STREAMS = 0, /* one slot for each stream */
    WB_PIXELS = 1   /* one slot for each pixel, slow-major */
};

/* Sets *bytes to the size of a carryover of this form. streams: the number of threads of the reference, at
   least 1. */
int32_t wb_carryover_size(const wb_scene *scene, int32_t form, size_t streams, size_t *bytes);

/* Makes the carryover in memory. */
int32_t wb_carryover_open(const wb_scene *scene, int32_t form, size_t streams, void *memory, size_t bytes,
                          wb_carryover **carryover);

/* Sets *count to the number of slots. */
int32_t wb_carryover_slots(const wb_carryover *carryover, size_t *count);

typedef struct wb_carryover_slot {
    double vectors_m[9];        /* a, b, c that the opening sweep finds, before mosaic */
    int64_t left_by_slow;       /* the pixel whose sweep left them; -1 if they are the unrotated cell */
    int64_t left_by_fast;
    int64_t opening_slow;       /* the pixel whose first sweep opens the slot; -1 if no pixel has a sweep */
    int64_t opening_fast;
    size_t first_row;           /* the first row of the stream */
    size_t end_row;             /* the row after its last */
    uint64_t hits;              /* pixels rendered whose first sweep found vectors that a sweep had left */
    uint64_t fresh;             /* pixels rendered whose first sweep found the unrotated cell */
} wb_carryover_slot;

/* Sets *slot to the contents of slot i. */
int32_t wb_carryover_read(const wb_carryover *carryover, size_t i, wb_carryover_slot *slot);

/* What the first sweep of a pixel finds: it does not use the carryover, it finds the unrotated cell, or it
   finds the vectors that the last sweep of another pixel left. */
enum wb_carryover_found { WB_NOT_USED = 0, WB_FRESH = 1, WB_HIT = 2 };

typedef struct wb_carryover_use {
    int32_t found;              /* enum wb_carryover_found */
    int64_t left_by_slow;       /* with WB_HIT the pixel whose sweep left the vectors, otherwise -1 */
    int64_t left_by_fast;
} wb_carryover_use;

/* Sets *found to what the first sweep of a pixel finds; renders and counts nothing. carryover: may be NULL if
   the scene does not need one. */
int32_t wb_carryover_use_at(const wb_carryover *carryover, const wb_scene *scene, size_t slow, size_t fast,
                            wb_carryover_use *found);

/* Makes a copy for another thread, with its counts at zero, in memory of the size of the original. */
int32_t wb_carryover_fork(const wb_carryover *carryover, void *memory, size_t bytes, wb_carryover **copy);

/* Adds the counts of a fork to those of the carryover. */
int32_t wb_carryover_absorb(wb_carryover *carryover, const wb_carryover *fork);

/* ---- The latch of c-parity scenes that interpolate ----------------------------------------------------- */

/* The reference stops interpolating for the rest of the image at the first evaluation whose nodes are not all
   in the grid. If latch_missing is set in the summary of a scene, find this latch and set it before
   rendering. */
typedef struct wb_latch {
    int32_t found;              /* 0: the reference never stops interpolating */
    size_t slow;                /* the pixel */
    size_t fast;
    uint64_t evaluation;        /* in this pixel, counted over layer, subpixel, source, phi and domain */
} wb_latch;

/* Searches `rows` rows from first_row on. If several ranges of rows have a latch, the first in image order is
   that of the image. */
int32_t wb_scene_find_latch(const wb_scene *scene, size_t first_row, size_t rows, wb_carryover *carryover,
                            wb_latch *latch);

/* Sets the latch of a scene. This is the only function that changes a scene: no other thread may use it
   during the call. */
int32_t wb_scene_set_latch(wb_scene *scene, const wb_latch *latch);

/* ---- Panels -------------------------------------------------------------------------------------------- */

/* A detector is panels, and a scene is on one of them. Everything else of a scene, beam, crystal and structure
   factors, is shared by the scenes of all panels: wb_scene_on_panel makes a header alone. */

/* A rectangle of square pixels in the laboratory, with its sensitive layer. */
typedef struct wb_panel {
    size_t fast_pixels;
    size_t slow_pixels;
    double pixel_m;             /* edge of a pixel */
    double pix0_m[3];           /* the outer corner of the first pixel */
    double fast_axis[3];        /* unit vectors */
    double slow_axis[3];
    double normal_axis[3];      /* away from the sample */
    double close_distance_m;    /* from the sample along the normal */
    double radius_m;            /* of a panel that is bent to a sphere around the sample; 0: it is flat */
    int32_t point_pixel;        /* not 0: the solid angle of a pixel is 1/R^2 */
    size_t sensor_layers;       /* layers in which absorption is computed */
    double sensor_layer_m;      /* thickness of a layer; 0: all photons are absorbed at the surface */
    double attenuation_per_m;   /* attenuation coefficient of the sensor */
} wb_panel;

/* Sets *panel to the panel that a scene is on. */
int32_t wb_scene_panel(const wb_scene *scene, wb_panel *panel);

/* The size of the header that wb_scene_on_panel makes, in bytes, is at most this. */
enum { WB_SCENE_HEADER = 4096 };

/* Makes the same scene on another panel, in memory of WB_SCENE_HEADER bytes. It uses the tables of `scene`, which
   must stay in place for as long as the new scene is used. roi: NULL for the whole panel, or its first and last
   column and then its first and last row. mask: NULL with mask_len = 0, or a value for each pixel of the panel, 0
   to skip it; it must outlive the new scene. In c-parity each panel is a run of the reference by itself, with a
   carryover and a latch of its own. */
int32_t wb_scene_on_panel(const wb_scene *scene, const wb_panel *panel, const size_t *roi, const uint16_t *mask,
                          size_t mask_len, void *memory, size_t bytes, wb_scene **on_panel, wb_error *error);

/* A rigid motion of a panel, or of several as a group. In a frame with the centre c and the axes e1, e2, e3, a
   point P of a panel moves to

     P' = c + R(e3, r3) R(e2, r2) R(e1, r1) (P - c) + t1 e1 + t2 e2 + t3 e3

   with shifts t and right-handed turns r; the axes of the panel turn alike. For motions in the laboratory set
   centre_m to 0 and axes to x, y, z. */
typedef struct wb_motion {
    double centre_m[3];         /* the point that turns leave where it is */
    double axes[9];             /* three unit vectors, which need not be perpendicular */
    double shift_m[3];
    double turn_rad[3];
} wb_motion;

/* The components of a motion. In the frame of a panel, axis 1 is fast, 2 slow and 3 the normal. */
enum wb_component {
    WB_SHIFT_1 = 0, /* in m */
    WB_SHIFT_2 = 1,
    WB_SHIFT_3 = 2,
    WB_TURN_1 = 3,  /* in rad */
    WB_TURN_2 = 4,
    WB_TURN_3 = 5
};

/* Sets *motion to the frame of a panel, in which nothing moves yet: its fast and slow axis and its normal, about
   its centre. */
int32_t wb_panel_frame(const wb_panel *panel, wb_motion *motion);

/* Sets *moved to a panel after a motion. A motion of 0 keeps the bits. */
int32_t wb_panel_move(const wb_panel *panel, const wb_motion *motion, wb_panel *moved);

/* ---- Rendering ----------------------------------------------------------------------------------------- */

/* Renders `rows` rows from first_row on into image[0] .. image[rows fast_pixels - 1]. len: the number of
   pixels that image has room for. Pixels outside the region of interest and masked pixels become 0.
   carryover: may be NULL if the scene does not need one. The bits of a pixel depend on the scene alone, not
   on which rows are rendered together, in which order, or by how many threads. */
int32_t wb_render_rows(const wb_scene *scene, size_t first_row, size_t rows, float *image, size_t len,
                       wb_carryover *carryover);

/* Renders like wb_render_rows, without rounding to float. */
int32_t wb_render_rows_f64(const wb_scene *scene, size_t first_row, size_t rows, double *image, size_t len,
                           wb_carryover *carryover);

/* What rendering rows reports, apart from the pixels. */
typedef struct wb_row_report {
    uint64_t pixels;            /* pixels rendered: inside the region of interest and not masked */
    uint64_t fallbacks;         /* interpolations that used the nearest node because nodes were missing */
    double omega_sum_sr;        /* sum of the solid angle over these pixels, their layers and subpixels */
} wb_row_report;

/* Renders like wb_render_rows, and sets *report. */
int32_t wb_render_rows_report(const wb_scene *scene, size_t first_row, size_t rows, float *image, size_t len,
                              wb_carryover *carryover, wb_row_report *report);

/* Renders one pixel, with the same bits that it has when its row is rendered by wb_render_rows_f64. */
int32_t wb_render_pixel(const wb_scene *scene, size_t slow, size_t fast, double *value,
                        wb_carryover *carryover);

/* ---- Derivatives --------------------------------------------------------------------------------------- */

/* A pixel I is a smooth function of the variables v of its scene. Its derivatives can be computed in two
   directions, each at twice the cost of rendering or more, depending on which derivatives are wanted:

     pullback      dL/dv = sum over pixels of w dI/dv      with weights w = dL/dI of any loss L of the pixels
     pushforward   dI/dp = dI/dv . dv/dp                   an image for each direction dv/dp

   wb_direction gives dv/dp of a parameter p, so dL/dp = wb_dot(&sums, &direction) after a single
   pullback.

   Where an image is not differentiable, the result is the derivative of the branch that was taken: of the
   nearest structure factor, of the inside or the outside of a tophat, and of the given numbers of cells,
   steps and subpixels. Which phi are exactly 0 does not change; in c-parity such a step changes with the step
   whose vectors it uses. Derivatives of a scene of precision WB_MIXED are those of WB_DOUBLE. */

/* One number for each variable: derivatives with respect to the variables, or a direction in which they change.
   48 doubles, without padding. */
typedef struct wb_variables {
    double cell_m[9];           /* a, b, c at phi = 0 */
    double reciprocal_per_angstrom[9]; /* a*, b*, c* at phi = 0; only gaussian spots depend on them */
    double pix0_m[3];           /* the outer corner of the first pixel */
    double fast_axis[3];
    double slow_axis[3];
    double normal_axis[3];
    double close_distance_m;    /* in the solid angle */
    double distance_m;          /* the radius of a curved detector */
    double phi0_rad;            /* a rotation added to every phi step; which phi are 0 does not change */
    double phi_step_rad;        /* a rotation added to step i, i times */
    double mosaic_scale;        /* a factor on the angles of the mosaic rotations */
    double lambda_scale;        /* a factor on all wavelengths */
    double fluence_scale;       /* a factor on the fluence */
    double default_f;           /* the structure factor outside the grid */
    double lambda_shift_m;      /* added to all wavelengths */
    double added_cells[3];      /* cells added along a, b, c */
    double added_coupling[3];   /* added to ab, ac, bc of the N matrix */
    double mosaic_axis_scale[3]; /* 0: scenes of this interface have the same spread about every axis */
} wb_variables;

/* Bits that select the derivatives to compute; the others stay 0. The derivative with respect to the
   fluence is always computed and costs nothing. */
#define WB_WANT_CELL UINT64_C(1) /* with respect to cell_m, and for gaussian spots reciprocal_per_angstrom */
#define WB_WANT_DETECTOR UINT64_C(2) /* with respect to pix0_m, axes and distances */
#define WB_WANT_WAVELENGTH UINT64_C(4) /* by lambda_scale and lambda_shift_m */
#define WB_WANT_DEFAULT_F UINT64_C(8)
#define WB_WANT_PHI UINT64_C(16) /* by phi0_rad and phi_step_rad */
#define WB_WANT_MOSAIC UINT64_C(32)
#define WB_WANT_CELLS UINT64_C(64) /* by added_cells and added_coupling; the others may then differ in the last digits */
#define WB_WANT_ALL UINT64_C(127)

/* The parameters p of a scene, and their units. If p changes by x, the variables change by x dv/dp. */
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
    WB_BY_A = 9, /* lengths in Angstrom, angles in rad; with a matrix, the directions of a and a x b stay */
    WB_BY_B = 10,
    WB_BY_C = 11,
    WB_BY_ALPHA = 12,
    WB_BY_BETA = 13,
    WB_BY_GAMMA = 14,
    WB_BY_MISSET_X = 15, /* misset_rad; with WB_GIVEN_AXES a rotation of the axes about lab x, y, z */
    WB_BY_MISSET_Y = 16,
    WB_BY_MISSET_Z = 17,
    WB_BY_PHI0 = 18, /* phi0_rad */
    WB_BY_OSC = 19,  /* phi_steps times phi_step_rad */
    WB_BY_WAVELENGTH = 20, /* lambda0_m and all sources, in proportion; scales a matrix, but not axes */
    WB_BY_ORIGIN_X = 21, /* position of the detector along lab x, y, z, in m; the distances change with it */
    WB_BY_ORIGIN_Y = 22,
    WB_BY_ORIGIN_Z = 23,
    WB_BY_DISTANCE = 24, /* and close_distance_m if given; like the next five, not for WB_PLACED */
    WB_BY_BEAM_CENTRE_X = 25, /* x_beam_m, y_beam_m; for WB_XDS and WB_DIALS org_x_px, org_y_px, in m */
    WB_BY_BEAM_CENTRE_Y = 26,
    WB_BY_DETECTOR_ROTATION_X = 27, /* rotation_rad */
    WB_BY_DETECTOR_ROTATION_Y = 28,
    WB_BY_DETECTOR_ROTATION_Z = 29,
    WB_BY_FLUENCE_SCALE = 30, /* a factor on the fluence; 1 in the scene */
    WB_BY_MOSAIC_SCALE = 31,  /* a factor on the angles of the rotations in domains; 1 in the scene */
    WB_BY_DEFAULT_F = 32,     /* grid.default_f */
    WB_BY_SPECTRUM_SHIFT = 33, /* added to the wavelength of every source, in m; the cell stays */
    WB_BY_SPECTRUM_SCALE = 34, /* a factor on the distances of all wavelengths from lambda0_m; 1 in the scene */
    WB_BY_CELLS_A = 35,       /* cells along a; not all shapes have useful derivatives, see wb_pullback_rows */
    WB_BY_CELLS_B = 36,
    WB_BY_CELLS_C = 37,
    WB_BY_CELLS = 38          /* cells along each of a, b, c */
};

/* The number of parameters. */
enum { WB_PARAMETERS = 39 };

/* Sets *direction to dv/dp of the scene of these parameters. parameter: an enum wb_parameter. Sources,
   domains, mask and structure factors are not read. For a WB_PLACED detector, the directions of distance,
   beam centre and rotation are errors: the program that placed it must fill a wb_variables with them itself. */
int32_t wb_direction(const wb_scene_parameters *parameters, int32_t parameter, wb_variables *direction,
                     wb_error *error);

/* Sets *direction to dv/dp of a component of a motion, an enum wb_component: the direction in which the variables of
   a scene on the moved panel change. panel: as it is before the motion. Only the variables of the detector change,
   so the turns need WB_WANT_DETECTOR. For a group of panels use the same motion for each of them, and add up dL/dp. */
int32_t wb_panel_direction(const wb_panel *panel, const wb_motion *motion, int32_t component,
                           wb_variables *direction, wb_error *error);

/* Returns the sum of products of all 48 numbers: dL/dp. NaN if a pointer is NULL or misaligned. */
double wb_dot(const wb_variables *sums, const wb_variables *direction);

/* Sets *wanted to the WB_WANT_ bits of the derivatives along these directions. */
int32_t wb_wanted_along(const wb_variables *directions, size_t count, uint64_t *wanted);

/* The derivatives of the orientations of a scene, in memory of the caller. Any number of threads may use them
   at the same time. Like a scene, they are refused at another address than the one where they were made. When
   they are no longer needed, the caller frees their memory. */
typedef struct wb_turns wb_turns;

/* Sets *bytes to their size: about 72 bytes for each orientation, 72 more for WB_WANT_MOSAIC and 144 more for
   WB_WANT_PHI. wanted: sum of WB_WANT_ bits. */
int32_t wb_turns_size(const wb_scene *scene, uint64_t wanted, size_t *bytes);

/* Makes them in memory. They are valid for this scene and for others of the same crystal, rotation and mosaic
   domains; other scenes refuse them with WB_OTHER_SCENE. */
int32_t wb_turns_make(const wb_scene *scene, uint64_t wanted, void *memory, size_t bytes, wb_turns **turns);

/* Pullback of `rows` rows from first_row on: adds to *sums the sum over their pixels of weights[i] dI_i/dv.
   The caller sets *sums to 0 before the first call. weights: rows times fast_pixels finite numbers,
   slow-major, in units of the loss divided by those of pixels; len: the length of weights. Pixels outside the
   region of interest and masked pixels contribute nothing. By cells, a square crystal has poles at its nodes,
   and a tophat spot only the change of its height. by_f: NULL with by_f_len = 0, or an array as long
   as grid.f, to which the derivatives with respect to each structure factor are added. carryover: may be NULL if the scene
   does not need one; its counts do not change. The sums of the rows are added one after the other. To get the
   same bits with any number of threads, pull back each row into sums of its own, and add these in order. */
int32_t wb_pullback_rows(const wb_scene *scene, const wb_turns *turns, size_t first_row, size_t rows,
                         const double *weights, size_t len, wb_variables *sums, double *by_f, size_t by_f_len,
                         wb_carryover *carryover, wb_error *error);

/* Pushforward: derivatives of the pixels of `rows` rows from first_row on along each of `count` directions.
   images: for each direction rows times fast_pixels numbers, slow-major, one image after the other; len: the
   number of elements that images has room for. The unit is that of pixels divided by that of the parameter.
   Pixels outside the region of interest and masked pixels become 0. A direction may change only variables
   that the turns were made for. */
int32_t wb_pushforward_rows(const wb_scene *scene, const wb_turns *turns, size_t first_row, size_t rows,
                            const wb_variables *directions, size_t count, double *images, size_t len,
                            wb_carryover *carryover, wb_error *error);

/* ---- Background ---------------------------------------------------------------------------------------- */

/* Amorphous matter in the beam. A pixel gets, at its centre P, seen from the matter,

     d       = (P - origin)/R          R = |P - origin|          s = |d - i|/(2 lambda)
     photons = r_e^2 fluence molecules omega capture escape  sum of w F(s) |F(s)| polarisation / sum of w

   over the sources of a scene with their directions i, wavelengths and weights w. F is a monotone curve through the
   points of the table. */
typedef struct wb_matter {
    size_t size;                /* of this struct, which identifies its version */
    const double *stol_per_angstrom; /* s = sin(theta)/lambda of the points, each above the one before */
    const double *f_electrons;  /* F of a molecule at these points; held beyond the ends */
    size_t point_count;         /* at least 1 */
    double molecules;           /* in the beam: wb_molecules */
    double origin_m[3];         /* where the matter is, before the detector; the sample is at 0 */
    double slab_depth;          /* attenuation lengths in a slab across the beam that absorbs what it scatters; 0: none */
    size_t profile_cells;       /* 0: F at each source's own wavelength. Else, for sources of one direction, a table of
                                   that many cells has the mean over all wavelengths: a pixel costs the same for any
                                   number of them. wb_background_error says how exact it is */
} wb_matter;

/* Returns the number of molecules in the part of a sample that the beam hits. */
double wb_molecules(double thickness_m, double area_m2, double density_g_per_cm3, double weight_g_per_mol);

/* The background that matter gives on the panel of a scene, in memory of the caller. Any number of threads may use it.
   Like a scene it stays where it was made. */
typedef struct wb_background wb_background;

/* Sets *bytes to its size, a multiple of WB_ALIGNMENT. */
int32_t wb_background_size(const wb_scene *scene, const wb_matter *matter, size_t *bytes, wb_error *error);

/* Makes it in memory. It takes panel, sources, weights, polarisation, fluence and instruction set from the scene, which
   is not needed afterwards; nor are the matter and its points. */
int32_t wb_background_make(const wb_scene *scene, const wb_matter *matter, void *memory, size_t bytes,
                           wb_background **background, wb_error *error);

/* Adds the background of `rows` rows from first_row on to photons[0] .. photons[rows fast_pixels - 1]; len: the length of
   photons. Region of interest and mask of the scene do not count. */
int32_t wb_background_rows(const wb_background *background, size_t first_row, size_t rows, double *photons, size_t len);

/* Sets *error to the largest error of the mean over all wavelengths, as a part of its largest value; 0 without
   profile_cells. */
int32_t wb_background_error(const wb_background *background, double *error);

/* ---- What a detector makes of photons ------------------------------------------------------------------- */

/* Stage by stage, in the order of nature. Every stage can be called alone, and changes the pixels in place:

     photons  wb_stage_scale (by wb_shot_factor), wb_stage_flicker, wb_stage_count
     counts   wb_stage_dead_time, wb_spread_rows, then wb_stage_amplify or wb_stage_switch_gain
     ADU      wb_stage_pedestal, wb_stage_common_mode, wb_stage_read_out, wb_stage_store
     integers wb_stage_set for hot and dead pixels, wb_stage_mask

   Deviates are functions of seed, stage, frame, panel and the number of the pixel in its panel. So any part of a panel
   gets the same pixels as in the whole, by any thread, in any order and with any instruction set. Pixels may be any
   numbers: one that is NaN or not above 0 counts 0, and NaN is stored as the least integer. */

/* Which pixels an array holds, and what their deviates are drawn from. */
typedef struct wb_place {
    uint64_t seed;              /* of which 56 bits count */
    uint32_t frame;             /* frame or shot */
    uint32_t panel;
    uint32_t first;             /* the number of the first pixel in its panel: slow times the columns, plus fast */
    int32_t simd;               /* enum wb_simd */
} wb_place;

/* Sets *factor to the factor of all pixels of a shot: max(0, 1 + flicker g), g a Gaussian deviate of seed and frame. */
int32_t wb_shot_factor(const wb_place *place, double flicker, double *factor);

/* Fills the gains of n pixels from place->first on: max(0, 1 + calibration g). They are static: the frame does not
   count. */
int32_t wb_gain_map(const wb_place *place, double calibration, float *gain_map, size_t n);

/* Fills by how much the pedestals of n pixels from place->first on differ in a mode of the gain, 0 to 2: rms_adu g. They
   are static. */
int32_t wb_pedestal_map(const wb_place *place, double rms_adu, uint32_t mode, float *pedestal_map, size_t n);

/* Fills the numbers of n bad pixels of a panel of `pixels` pixels, from the bad one of number `first` on. They differ
   from each other, and are static; place->first and the frame do not count. */
int32_t wb_bad_pixels(const wb_place *place, uint32_t pixels, uint32_t first, uint32_t *numbers, size_t n);

/* Multiplies n pixels by a factor of 0 or more. */
int32_t wb_stage_scale(const wb_place *place, double factor, float *pixels, size_t n);

/* Multiplies each pixel by a factor of its own: max(0, 1 + flicker g). */
int32_t wb_stage_flicker(const wb_place *place, double flicker, float *pixels, size_t n);

/* Replaces expected photons by counts: Poisson deviates. */
int32_t wb_stage_count(const wb_place *place, float *pixels, size_t n);

/* Leaves out what falls in the dead time tau of counts that are spread evenly over an exposure T: counts e^(-counts tau/T)
   if a photon within the dead time begins it anew (paralyzable is not 0), else counts/(1 + counts tau/T). */
int32_t wb_stage_dead_time(const wb_place *place, double tau_s, double exposure_s, int32_t paralyzable, float *pixels,
                           size_t n);

/* Multiplies by the gain in ADU for each photon, above 0, and by gain_map[i] unless gain_map is NULL. */
int32_t wb_stage_amplify(const wb_place *place, double gain, const float *gain_map, float *pixels, size_t n);

/* Adds what every pixel has without photons. */
int32_t wb_stage_pedestal(const wb_place *place, double pedestal_adu, float *pixels, size_t n);

/* Adds what the pixels of a block have in common in this frame, of this rms. Blocks of block_fast x block_slow pixels
   begin at the first pixel of the panel, which has `columns` columns; rows are blocks of columns x 1. */
int32_t wb_stage_common_mode(const wb_place *place, double rms_adu, size_t columns, size_t block_fast,
                             size_t block_slow, float *pixels, size_t n);

/* Adds the noise of the readout, of this rms. */
int32_t wb_stage_read_out(const wb_place *place, double noise_adu, float *pixels, size_t n);

/* Sets stored[i] to the nearest integer from least to largest. *saturated, unless NULL, is set to the number of pixels
   that have the largest. */
int32_t wb_stage_store(const float *pixels, size_t n, int32_t least, int32_t largest, int32_t *stored,
                       size_t *saturated);

/* A gain of a detector that switches gains. */
typedef struct wb_gain_mode {
    double adu_per_kev;         /* below 0 where the signal falls with the charge; not 0 */
    double pedestal_adu;        /* ADU without charge */
    double readout_adu;         /* rms noise of the readout */
} wb_gain_mode;

/* The gains of a detector whose pixels choose one by their charge, such as Jungfrau. */
typedef struct wb_gain_switching {
    double photon_kev;          /* energy of a photon */
    double switch_kev[2];       /* charges from which the second and the third mode are chosen */
    wb_gain_mode modes[3];
} wb_gain_switching;

/* What differs from pixel to pixel of such a detector: arrays of a number for each pixel, or NULL where nothing does. */
typedef struct wb_pixel_differences {
    const float *gains;         /* factors on the gain of each mode, such as those of wb_gain_map */
    const float *pedestals_adu[3]; /* added to the pedestal of each mode, such as those of wb_pedestal_map */
    const float *common_adu;    /* added in any mode, such as what wb_stage_common_mode adds to 0 */
} wb_pixel_differences;

/* Stores counts as raw words: the mode (0, 1 or 3) times 2^14, plus the nearest integer in 0 .. 16383 to charge gain +
   pedestal + readout noise of that mode, with the differences of the pixels unless NULL. *saturated, unless NULL, is set
   to the number of pixels that their mode cannot hold. */
int32_t wb_stage_switch_gain(const wb_place *place, const wb_gain_switching *switching,
                             const wb_pixel_differences *differences, const float *counts, size_t n, int32_t *words,
                             size_t *saturated);

/* Sets the pixels that have one of `count` numbers in their panel to value, such as hot or dead ones. Numbers of pixels
   that are not among the n are passed over. */
int32_t wb_stage_set(const wb_place *place, const uint32_t *numbers, size_t count, int32_t value, int32_t *stored,
                     size_t n);

/* Sets the pixels whose mask is 0 to value, the last stage. */
int32_t wb_stage_mask(const wb_place *place, const uint16_t *mask, int32_t value, int32_t *stored, size_t n);

/* ---- Point spread --------------------------------------------------------------------------------------- */

/* Forms, of the full width at half maximum w: exp(-4 ln 2 r^2/w^2), (g^2 + r^2)^(-3/2) and (a^2 + r^2)^(-5/2), integrated
   over pixels. */
enum wb_spread_form {
    WB_SPREAD_GAUSS = 0,
    WB_SPREAD_FIBER = 1,
    WB_SPREAD_MOFFAT = 2,
    WB_SPREAD_GAUSS_SQUARE = 3 /* a Gaussian in a square, along the rows and then across them: the fastest */
};

/* A point spread, and the size of the images that it spreads. */
typedef struct wb_spread {
    int32_t form;               /* enum wb_spread_form */
    int32_t simd;               /* enum wb_simd */
    double width_px;            /* full width at half maximum, in pixels */
    size_t radius_px;           /* of the circle beyond which there is nothing, or half the edge of the square */
    size_t fast_pixels;
    size_t slow_pixels;
} wb_spread;

/* Sets *radius_px to the radius beyond which a Gaussian of this width has less than 1e-10 of its light. */
int32_t wb_spread_whole_radius(double width_px, size_t *radius_px);

/* Sets the lengths of the arrays of the next two functions. */
int32_t wb_spread_size(const wb_spread *spread, size_t *shares_len, size_t *scratch_len);

/* Fills the shares that pixels within the radius get, which are together 1. They depend on form, width and radius. */
int32_t wb_spread_shares(const wb_spread *spread, double *shares, size_t len);

/* Fills `rows` rows from first_row on of the image that spreads photons, in out[0] .. out[rows fast_pixels - 1]. photons: the
   whole image, of len pixels. Light that leaves it is lost. Threads that share the rows need scratch of their own each. */
int32_t wb_spread_rows(const wb_spread *spread, const double *shares, size_t shares_len, const float *photons, size_t len,
                       size_t first_row, size_t rows, double *scratch, size_t scratch_len, float *out, size_t out_len);

/* ---- Deviates of the reference --------------------------------------------------------------------------- */

/* A stream of the reference's random deviates: the same seed gives the same deviates. A copy continues
   independently. */
typedef struct wb_noise {
    uint64_t opaque[40];
} wb_noise;

/* Starts a stream, as nanoBragg's -seed does. */
int32_t wb_noise_seed(wb_noise *noise, int64_t seed);

/* Draws n deviates uniform in (0, 1), as ran1 does. */
int32_t wb_noise_uniform(wb_noise *noise, float *deviates, size_t n);

/* Draws n deviates of mean 0 and variance 1, as gaussdev does. */
int32_t wb_noise_gauss(wb_noise *noise, float *deviates, size_t n);

/* Draws a Poisson deviate for each of n means, as poidev does. Applied to the rows of a float image in order,
   it gives the noise image before the offset (adc) is added. */
int32_t wb_noise_poisson(wb_noise *noise, const float *means, float *counts, size_t n);

/* Draws the rotation matrices of `count` mosaic domains, as -mosaic and -mosaic_seed do. The default seed of
   the reference is 12345678. */
int32_t wb_mosaic_domains(double spread_rad, int64_t seed, double *domains, size_t count);

/* Draws the three angles of -misset random with -misset_seed, for wb_scene_parameters.misset_rad. */
int32_t wb_random_misset(int64_t seed, double *angles_rad);

#ifdef __cplusplus
}
#endif

#endif
