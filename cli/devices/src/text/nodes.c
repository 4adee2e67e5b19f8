
/* 1.5 * 2^52, which rounds by being added. */
#define ROUND_BY_ADDING 6755399441055744.0

/* 2^n of an integer: the low bits of the sum are the biased exponent. */
INLINE double pow2(double n)
{
    return NUMBER(BITS(n + (ROUND_BY_ADDING + 1023.0)) << 52);
}

/* n d minus its nearest integer. */
INLINE float product_fraction(double n, double d)
{
    double turns = fma(n, d, ROUND_BY_ADDING) - ROUND_BY_ADDING;
    return (float)fma(n, d, -turns);
}

/* A grid of structure factors. */
typedef struct { GLOBAL const double *wide; GLOBAL const float *narrow; WIDE first; WIDE count; bool is_narrow; } Nodes;

typedef struct { double s0, s1, s2, s3; } Rows;

INLINE double node_at(Nodes nodes, WIDE index)
{
    return nodes.is_narrow ? (double)nodes.narrow[nodes.first + index] : nodes.wide[nodes.first + index];
}

INLINE double node(Nodes nodes, double index)
{
    return node_at(nodes, (WIDE)index);
}

/* Sums over 4 x 4 rows of four nodes; both run upwards from a product. */
INLINE Rows sum_rows(Nodes nodes, Grid grid, double start, double o0, double o1, double o2, double o3,
                     double i0, double i1, double i2, double i3)
{
    const double outer[4] = {o0, o1, o2, o3}, inner[4] = {i0, i1, i2, i3};
    Rows sum = {0.0, 0.0, 0.0, 0.0};
    WIDE stride_h = (WIDE)grid.stride_h, stride_k = (WIDE)grid.stride_k;
    if (!(start >= 0.0) || (WIDE)start + 3 * (stride_h + stride_k) + 4 > nodes.count) return sum;
    for (uint i = 0; i < 4; i++) {
        Rows plane = {0.0, 0.0, 0.0, 0.0};
        for (uint j = 0; j < 4; j++) {
            WIDE row = (WIDE)start + i * stride_h + j * stride_k;
            double n0 = node_at(nodes, row), n1 = node_at(nodes, row + 1);
            double n2 = node_at(nodes, row + 2), n3 = node_at(nodes, row + 3);
            plane.s0 = j == 0 ? inner[j] * n0 : fma(inner[j], n0, plane.s0);
            plane.s1 = j == 0 ? inner[j] * n1 : fma(inner[j], n1, plane.s1);
            plane.s2 = j == 0 ? inner[j] * n2 : fma(inner[j], n2, plane.s2);
            plane.s3 = j == 0 ? inner[j] * n3 : fma(inner[j], n3, plane.s3);
        }
        sum.s0 = i == 0 ? outer[i] * plane.s0 : fma(outer[i], plane.s0, sum.s0);
        sum.s1 = i == 0 ? outer[i] * plane.s1 : fma(outer[i], plane.s1, sum.s1);
        sum.s2 = i == 0 ? outer[i] * plane.s2 : fma(outer[i], plane.s2, sum.s2);
        sum.s3 = i == 0 ? outer[i] * plane.s3 : fma(outer[i], plane.s3, sum.s3);
    }
    return sum;
}
