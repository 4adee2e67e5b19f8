#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#pragma OPENCL FP_CONTRACT OFF
#define GLOBAL __global
#define KERNEL __kernel
#define INLINE static inline
#define COLUMN get_global_id(0)
#define ROW get_global_id(1)
#define BITS(x) as_ulong(x)
#define NUMBER(bits) as_double(bits)
#define WIDE ulong

