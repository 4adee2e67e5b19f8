// What a CUDA text has from its compiler, for a compiler of the processor. It comes before the text.
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#undef NAN
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

using std::ceil, std::fabs, std::floor, std::fma, std::rint, std::sqrt;

struct Place {
    unsigned x, y;
};

static thread_local Place blockIdx, threadIdx, blockDim;

static inline unsigned long long __double_as_longlong(double x)
{
    unsigned long long bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double __longlong_as_double(unsigned long long bits)
{
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
