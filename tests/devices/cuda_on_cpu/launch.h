// Runs the program for all threads, one after the other. It comes after the text.
template <typename... Arguments, std::size_t... at>
static void call(void (*program)(Arguments...), void **arguments, std::index_sequence<at...>)
{
    program(*static_cast<std::remove_const_t<Arguments> *>(arguments[at])...);
}

template <typename... Arguments> static void call(void (*program)(Arguments...), void **arguments)
{
    call(program, arguments, std::index_sequence_for<Arguments...>());
}

extern "C" void launch(unsigned blocks_x, unsigned blocks_y, unsigned threads, void **arguments)
{
    blockDim.x = threads;
    for (blockIdx.y = 0; blockIdx.y < blocks_y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < blocks_x; blockIdx.x++)
            for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) call(render, arguments);
}
