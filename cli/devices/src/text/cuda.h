#define GLOBAL
#define KERNEL extern "C" __global__ __launch_bounds__(128, 3)
#define INLINE static __device__ __forceinline__
#define TABLE(type, length, name) const Table<type, length> name
#define COLUMN (blockIdx.y * blockDim.x + threadIdx.x)
#define ROW blockIdx.x
#define BITS(x) __double_as_longlong(x)
#define NUMBER(bits) __longlong_as_double(bits)
#define WIDE unsigned long long
#define NAN __longlong_as_double(0x7ff8000000000000)
typedef unsigned int uint;

/* A table that is given by value: its numbers are operands of instructions, and take no registers. */
template <typename T, int length> struct Table {
    T values[length];
    __device__ __forceinline__ operator const T *() const { return values; }
};

