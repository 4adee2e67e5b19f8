// The calls of NVIDIA's driver that widebragg makes, on the processor: memory is the processor's, streams have always
// done their work, and a program is the library beside this one that has the name in the first line of the PTX.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>

enum Result { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_PTX = 218, NOT_FOUND = 500 };
enum Attribute { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

using Address = unsigned long long;
using Launch = void (*)(unsigned, unsigned, unsigned, void **);

static int context;
static thread_local void *current;

/* The folder of this library. */
static std::string folder()
{
    Dl_info info;
    dladdr(&context, &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/') + 1);
}

static Result allocate(Address *address, size_t bytes)
{
    if (bytes == 0) return INVALID_VALUE;
    void *memory = std::malloc(bytes);
    if (!memory) return OUT_OF_MEMORY;
    // A device's memory is not zero either.
    std::memset(memory, 0xa5, bytes);
    *address = reinterpret_cast<Address>(memory);
    return SUCCESS;
}

static void *memory(Address address) { return reinterpret_cast<void *>(address); }

extern "C" {
Result cuInit(unsigned) { return SUCCESS; }
Result cuDriverGetVersion(int *version) { return *version = 12000, SUCCESS; }
Result cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
Result cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }
Result cuDeviceGetName(char *name, int length, int)
{
    return std::snprintf(name, length, "CUDA on the processor"), SUCCESS;
}
Result cuDeviceGetAttribute(int *value, int attribute, int)
{
    *value = attribute == CAPABILITY_MAJOR ? 8 : attribute == CAPABILITY_MINOR ? 0 : 1;
    return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void **retained, int) { return *retained = &context, SUCCESS; }
Result cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Result cuCtxGetCurrent(void **of_thread) { return *of_thread = current, SUCCESS; }
Result cuCtxSetCurrent(void *of_thread) { return current = of_thread, SUCCESS; }
Result cuCtxSynchronize() { return SUCCESS; }

Result cuStreamCreate(void **stream, unsigned) { return *stream = std::malloc(1), SUCCESS; }
Result cuStreamDestroy_v2(void *stream) { return std::free(stream), SUCCESS; }
Result cuStreamSynchronize(void *) { return SUCCESS; }
Result cuStreamWaitEvent(void *, void *, unsigned) { return SUCCESS; }
Result cuEventCreate(void **event, unsigned) { return *event = std::malloc(1), SUCCESS; }
Result cuEventRecord(void *, void *) { return SUCCESS; }
Result cuEventDestroy_v2(void *event) { return std::free(event), SUCCESS; }

Result cuMemAllocAsync(Address *address, size_t bytes, void *) { return allocate(address, bytes); }
Result cuMemFreeAsync(Address address, void *) { return std::free(memory(address)), SUCCESS; }
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *)
{
    return std::memcpy(memory(to), from, bytes), SUCCESS;
}
Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *)
{
    return std::memcpy(to, memory(from), bytes), SUCCESS;
}
Result cuMemsetD8Async(Address at, unsigned char value, size_t bytes, void *)
{
    return std::memset(memory(at), value, bytes), SUCCESS;
}

Result cuModuleLoadData(void **module, const void *ptx)
{
    char name[80];
    if (std::sscanf(static_cast<const char *>(ptx), "// %79s of text", name) != 1) return INVALID_PTX;
    *module = dlopen((folder() + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
    return *module ? SUCCESS : INVALID_PTX;
}
Result cuModuleUnload(void *module) { return dlclose(module), SUCCESS; }
Result cuModuleGetFunction(void **function, void *module, const char *name)
{
    *function = std::strcmp(name, "render") ? nullptr : dlsym(module, "launch");
    return *function ? SUCCESS : NOT_FOUND;
}
Result cuLaunchKernel(void *function, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,
                      unsigned threads_y, unsigned threads_z, unsigned, void *, void **arguments, void **)
{
    // The limits of devices, and what the programs are made for.
    if (!blocks_x || !blocks_y || blocks_y > 65535 || blocks_z != 1) return INVALID_VALUE;
    if (!threads_x || threads_x > 128 || threads_y != 1 || threads_z != 1) return INVALID_VALUE;
    reinterpret_cast<Launch>(function)(blocks_x, blocks_y, threads_x, arguments);
    return SUCCESS;
}

Result cuGetErrorString(Result error, const char **text)
{
    *text = error == OUT_OF_MEMORY ? "out of memory" : "a call of the driver failed";
    return SUCCESS;
}
}
