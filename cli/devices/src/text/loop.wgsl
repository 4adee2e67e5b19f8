
// The integers of a band.
@group(0) @binding(0) var<storage, read> counts: array<u32>;
// The numbers of a scene, and those of its layers, sources and orientations.
@group(0) @binding(1) var<storage, read> tables: array<f64>;
// A point of the line of each row, layer and subpixel along slow.
@group(0) @binding(2) var<storage, read> lines: array<f64>;
// For each source the index of its grid.
@group(0) @binding(3) var<storage, read> grids: array<u32>;
@group(0) @binding(6) var<storage, read_write> pixels: array<f64>;
@group(0) @binding(7) var<storage, read_write> fallbacks: array<u32>;

// One pixel: what the kernel's plain loop does for a vector of them, around the recorded formulas.
@compute @workgroup_size(GROUP_PIXELS)
fn render(@builtin(global_invocation_id) id: vec3<u32>)
{
    let column = id.x;
    let row = id.y;
    if (column >= counts[COLUMNS] || row >= counts[ROWS]) { return; }
    let rules = counts[RULES];
    let layer_count = counts[LAYERS];
    let per_axis = counts[PER_AXIS];
    let source_count = counts[SOURCES];
    let orientation_count = counts[ORIENTATIONS];
    let at_layers = AT_BACKGROUND + 1;
    let at_sources = at_layers + LAYER_NUMBERS * layer_count;
    let at_orientations = at_sources + (SOURCE_NUMBERS + FRAME_NUMBERS) * source_count;
    let columns = load_columns(AT_COLUMNS);
    let sphere = load_bend(AT_BEND);
    let area = load_area(AT_AREA);
    let all_layers = load_layer(AT_LAYER);
    let first_frame = load_frame(AT_FRAME);
    let limit = load_limit(AT_LIMIT);
    let crystal = load_crystal(AT_CRYSTAL);
    let grid = load_grid(AT_GRID);
    let rule = load_steprule(AT_STEP_RULE);
    let scale = load_scale(AT_SCALE);
    let background = tables[AT_BACKGROUND];
    let nodes_of_a_grid = u32(grid.len_x * grid.len_y * grid.len_z);

    let fast = f64(counts[FIRST_COLUMN] + column);
    var sum = background;
    var total = 0.0lf;
    var water_photons = 0.0lf;
    var factors = Factors(1.0lf, 1.0lf, 1.0lf);
    if ((rules & CAPTURES_NOTHING) != 0) { factors.capture = 0.0lf; }
    var begun = false;
    var fallen_back = 0u;

    for (var layer = 0u; layer < layer_count; layer++) {
    for (var sub_slow = 0u; sub_slow < per_axis; sub_slow++) {
    for (var sub_fast = 0u; sub_fast < per_axis; sub_fast++) {
        let is_first = sub_slow == 0 && sub_fast == 0;
        let begins = is_first && layer == 0;
        let at_line = 3 * ((row * layer_count + layer) * per_axis + sub_slow);
        let line = Vector(lines[at_line], lines[at_line + 1], lines[at_line + 2]);
        var here: Direction;
        if ((rules & BENT) != 0) {
            here = bent_direction(columns, sphere, line, fast, f64(sub_fast));
        } else {
            here = direction(columns, line, fast, f64(sub_fast));
        }
        if (begins || (rules & OMEGA) != 0) { factors.omega_sr = omega_sr(here, area); }
        // Where it does not belong to the steps, the captured share is that of the last layer.
        let captures = (rules & CAPTURE_OF_STEPS) != 0 || layer + 1 == layer_count;
        if ((rules & CAPTURES) != 0 && captures && (is_first || (rules & THICK) != 0)) {
            factors.capture = captured(here, load_layer(at_layers + LAYER_NUMBERS * layer));
        }
        if (begins && (rules & POLARIZED) != 0 && (rules & (POLAR | LIMITED)) == 0) {
            factors.polarization = polarization(here, first_frame);
        }
        if (begins && (rules & WATERED) != 0) {
            var of_water = Factors(1.0lf, 1.0lf, factors.omega_sr);
            if ((rules & CAPTURES) != 0) { of_water.capture = captured_in_all(here, all_layers); }
            if ((rules & POLARIZED) != 0) { of_water.polarization = polarization(here, first_frame); }
            water_photons = water(scale, of_water);
        }
        for (var s = 0u; s < source_count; s++) {
            let at_source = at_sources + (SOURCE_NUMBERS + FRAME_NUMBERS) * s;
            let source = load_source(at_source);
            let q = scattering(here, source);
            if ((rules & LIMITED) != 0) {
                if (!is_resolved(q, limit)) { continue; }
            }
            if ((rules & POLARIZED) != 0 && ((rules & POLAR) != 0 || ((rules & LIMITED) != 0 && !begun))) {
                factors.polarization = polarization(here, load_frame(at_source + SOURCE_NUMBERS));
            }
            begun = true;
            var of_steps = Factors(1.0lf, 1.0lf, 1.0lf);
            if ((rules & CAPTURE_OF_STEPS) != 0) { of_steps.capture = factors.capture; }
            if ((rules & POLAR) != 0) { of_steps.polarization = factors.polarization; }
            if ((rules & OMEGA) != 0) { of_steps.omega_sr = factors.omega_sr; }
            if ((rules & TERMS) != 0) { sum = background; }
            let nodes = Nodes(nodes_of_a_grid * grids[s], nodes_of_a_grid, counts[NARROW_NODES] != 0);
            for (var o = 0u; o < orientation_count; o++) {
                let orientation = load_orientation(at_orientations + ORIENTATION_NUMBERS * o);
                let taken = step(q, orientation, crystal, grid, rule, nodes);
                if ((rules & RUNNING_SUM) == 0) {
                    sum = add(sum, taken.amplitude);
                } else if (!(taken.f_latt == rule.skipped)) {
                    sum = add_to_running_sum(sum, taken.amplitude, of_steps);
                }
                if (taken.fallback) { fallen_back++; }
            }
            if ((rules & TERMS) != 0) { total = add_source(total, sum, source, of_steps); }
        }
    }
    }
    }

    if ((rules & DARK_UNRESOLVED) != 0 && !begun) { factors.polarization = 0.0lf; }
    if ((rules & CAPTURE_OF_STEPS) != 0) { factors.capture = 1.0lf; }
    if ((rules & POLAR) != 0) { factors.polarization = 1.0lf; }
    if ((rules & OMEGA) != 0) { factors.omega_sr = 1.0lf; }
    if ((rules & TERMS) != 0) { sum = total; }
    let at = row * counts[COLUMNS] + column;
    pixels[at] = pixel(scale, sum, factors, water_photons);
    if (counts[COUNTS_FALLBACKS] != 0) { fallbacks[at] = fallen_back; }
}
