
/* One pixel: what the kernel's plain loop does for a vector of them, around the recorded formulas. */
KERNEL void render(TABLE(uint, COUNTS_LENGTH, counts), TABLE(double, NUMBERS_LENGTH, numbers),
                   GLOBAL const double *layers, GLOBAL const double *lines, GLOBAL const double *sources,
                   GLOBAL const uint *grids, GLOBAL const double *orientations, GLOBAL const double *wide_nodes,
                   GLOBAL const float *narrow_nodes, GLOBAL double *wide_pixels, GLOBAL float *narrow_pixels,
                   GLOBAL uint *fallbacks)
{
    uint column = COLUMN, row = ROW;
    if (column >= counts[COLUMNS] || row >= counts[ROWS]) return;
    const uint rules = counts[RULES], layer_count = counts[LAYERS], per_axis = counts[PER_AXIS];
    const uint source_count = counts[SOURCES], orientation_count = counts[ORIENTATIONS];
    const Columns columns = load_columns(numbers + AT_COLUMNS);
    const Bend sphere = load_bend(numbers + AT_BEND);
    const Area area = load_area(numbers + AT_AREA);
    const Layer all_layers = load_layer(numbers + AT_LAYER);
    const Frame first_frame = load_frame(numbers + AT_FRAME);
    const Limit limit = load_limit(numbers + AT_LIMIT);
    const Crystal crystal = load_crystal(numbers + AT_CRYSTAL);
    const Grid grid = load_grid(numbers + AT_GRID);
    const StepRule rule = load_steprule(numbers + AT_STEP_RULE);
    const Scale scale = load_scale(numbers + AT_SCALE);
    const double background = numbers[AT_BACKGROUND];
    Nodes nodes;
    nodes.wide = wide_nodes;
    nodes.narrow = narrow_nodes;
    nodes.count = (WIDE)(grid.len_x * grid.len_y * grid.len_z);
    nodes.is_narrow = counts[NARROW_NODES] != 0;

    const double fast = (double)(counts[FIRST_COLUMN] + column);
    double sum = background, total = 0.0, water_photons = 0.0;
    Factors factors;
    factors.capture = (rules & CAPTURES_NOTHING) ? 0.0 : 1.0;
    factors.polarization = 1.0;
    factors.omega_sr = 1.0;
    bool begun = false;
    uint fallen_back = 0;

    for (uint layer = 0; layer < layer_count; layer++)
    for (uint sub_slow = 0; sub_slow < per_axis; sub_slow++)
    for (uint sub_fast = 0; sub_fast < per_axis; sub_fast++) {
        const bool is_first = sub_slow == 0 && sub_fast == 0, begins = is_first && layer == 0;
        const Vector line = load_vector(lines + 3 * (WIDE)((row * layer_count + layer) * per_axis + sub_slow));
        const Direction here = (rules & BENT) ? bent_direction(columns, sphere, line, fast, (double)sub_fast)
                                              : direction(columns, line, fast, (double)sub_fast);
        if (begins || (rules & OMEGA)) factors.omega_sr = omega_sr(here, area);
        /* Where it does not belong to the steps, the captured share is that of the last layer. */
        const bool captures = (rules & CAPTURE_OF_STEPS) || layer + 1 == layer_count;
        if ((rules & CAPTURES) && captures && (is_first || (rules & THICK)))
            factors.capture = captured(here, load_layer(layers + LAYER_NUMBERS * layer));
        if (begins && (rules & POLARIZED) && !(rules & (POLAR | LIMITED)))
            factors.polarization = polarization(here, first_frame);
        if (begins && (rules & WATERED)) {
            Factors of_water;
            of_water.capture = (rules & CAPTURES) ? captured_in_all(here, all_layers) : 1.0;
            of_water.polarization = (rules & POLARIZED) ? polarization(here, first_frame) : 1.0;
            of_water.omega_sr = factors.omega_sr;
            water_photons = water(scale, of_water);
        }
        for (uint s = 0; s < source_count; s++) {
            GLOBAL const double *numbers_of_source = sources + (SOURCE_NUMBERS + FRAME_NUMBERS) * s;
            const Source source = load_source(numbers_of_source);
            const Vector q = scattering(here, source);
            if ((rules & LIMITED) && !is_resolved(q, limit)) continue;
            if ((rules & POLARIZED) && ((rules & POLAR) || ((rules & LIMITED) && !begun)))
                factors.polarization = polarization(here, load_frame(numbers_of_source + SOURCE_NUMBERS));
            begun = true;
            Factors of_steps;
            of_steps.capture = (rules & CAPTURE_OF_STEPS) ? factors.capture : 1.0;
            of_steps.polarization = (rules & POLAR) ? factors.polarization : 1.0;
            of_steps.omega_sr = (rules & OMEGA) ? factors.omega_sr : 1.0;
            if (rules & TERMS) sum = background;
            if (nodes.is_narrow) nodes.narrow = narrow_nodes + nodes.count * grids[s];
            else nodes.wide = wide_nodes + nodes.count * grids[s];
            GLOBAL const double *const end = orientations + ORIENTATION_NUMBERS * (WIDE)orientation_count;
            for (GLOBAL const double *next = orientations; next != end; next += ORIENTATION_NUMBERS) {
                const Orientation orientation = load_orientation(next);
                const Step taken = step(q, orientation, crystal, grid, rule, nodes);
                if (!(rules & RUNNING_SUM)) sum = add(sum, taken.amplitude);
                else if (taken.f_latt != rule.skipped) sum = add_to_running_sum(sum, taken.amplitude, of_steps);
                fallen_back += taken.fallback ? 1u : 0u;
            }
            if (rules & TERMS) total = add_source(total, sum, source, of_steps);
        }
    }

    if ((rules & DARK_UNRESOLVED) && !begun) factors.polarization = 0.0;
    if (rules & CAPTURE_OF_STEPS) factors.capture = 1.0;
    if (rules & POLAR) factors.polarization = 1.0;
    if (rules & OMEGA) factors.omega_sr = 1.0;
    const double photons = pixel(scale, (rules & TERMS) ? total : sum, factors, water_photons);
    const WIDE at = (WIDE)row * counts[COLUMNS] + column;
    if (counts[NARROW_PIXELS]) narrow_pixels[at] = (float)photons;
    else wide_pixels[at] = photons;
    if (counts[COUNTS_FALLBACKS]) fallbacks[at] = fallen_back;
}
