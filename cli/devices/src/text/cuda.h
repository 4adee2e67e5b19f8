#define GLOBAL
#define KERNEL extern "C" __global__ __launch_bounds__(128)
#define INLINE static __device__ __forceinline__
#define COLUMN (blockIdx.x * blockDim.x + threadIdx.x)
#define ROW (blockIdx.y * blockDim.y + threadIdx.y)
#define BITS(x) __double_as_longlong(x)
#define NUMBER(bits) __longlong_as_double(bits)
#define WIDE unsigned long long
#define NAN __longlong_as_double(0x7ff8000000000000)
typedef unsigned int uint;

