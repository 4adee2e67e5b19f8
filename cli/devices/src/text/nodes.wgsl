
// The same nodes twice: as f64, and as f32.
@group(0) @binding(4) var<storage, read> wide_nodes: array<f64>;
@group(0) @binding(5) var<storage, read> narrow_nodes: array<f32>;

// 1.5 * 2^52, which rounds by being added.
const ROUND_BY_ADDING: f64 = 6755399441055744.0lf;

// 2^n of an integer: the low bits of the sum are the biased exponent.
fn pow2(n: f64) -> f64
{
    return bitcast<f64>(bitcast<u64>(n + (ROUND_BY_ADDING + 1023.0lf)) << 52u);
}

// n d minus its nearest integer.
fn product_fraction(n: f64, d: f64) -> f32
{
    let turns = round(n * d);
    return f32(n * d - turns);
}

// A grid of structure factors.
struct Nodes { first: u32, count: u32, is_narrow: bool }

alias Rows = vec4<f64>;

fn node_at(nodes: Nodes, index: u32) -> f64
{
    if (nodes.is_narrow) { return f64(narrow_nodes[nodes.first + index]); }
    return wide_nodes[nodes.first + index];
}

fn node_or(nodes: Nodes, index: f64, is_inside: bool, other: f64) -> f64
{
    if (is_inside) { return node_at(nodes, u32(index)); }
    return other;
}

fn row_at(nodes: Nodes, first: u32) -> Rows
{
    return Rows(node_at(nodes, first), node_at(nodes, first + 1), node_at(nodes, first + 2),
                node_at(nodes, first + 3));
}

fn sum_plane(nodes: Nodes, first: u32, stride_k: u32, i0: f64, i1: f64, i2: f64, i3: f64) -> Rows
{
    var sum = i0 * row_at(nodes, first);
    sum = i1 * row_at(nodes, first + stride_k) + sum;
    sum = i2 * row_at(nodes, first + 2 * stride_k) + sum;
    return i3 * row_at(nodes, first + 3 * stride_k) + sum;
}

// Sums over 4 x 4 rows of four nodes; both run upwards from a product.
fn sum_rows(nodes: Nodes, grid: Grid, start: f64, o0: f64, o1: f64, o2: f64, o3: f64,
            i0: f64, i1: f64, i2: f64, i3: f64) -> Rows
{
    let end = start + 3.0lf * (grid.stride_h + grid.stride_k) + 4.0lf;
    if (!(start >= 0.0lf && end <= f64(nodes.count))) { return Rows(); }
    let first = u32(start);
    let stride_h = u32(grid.stride_h);
    let stride_k = u32(grid.stride_k);
    var sum = o0 * sum_plane(nodes, first, stride_k, i0, i1, i2, i3);
    sum = o1 * sum_plane(nodes, first + stride_h, stride_k, i0, i1, i2, i3) + sum;
    sum = o2 * sum_plane(nodes, first + 2 * stride_h, stride_k, i0, i1, i2, i3) + sum;
    return o3 * sum_plane(nodes, first + 3 * stride_h, stride_k, i0, i1, i2, i3) + sum;
}
