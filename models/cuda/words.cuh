// Instructions on words of 32 bits, two float16 numbers or eight indices each, that C++ has no name for.

#pragma once

typedef unsigned int word;
typedef unsigned long long wide;

struct alignas(16) Words {
    word x, y, z, w;
};

// Nothing is read that is not `inside`: what the words held then meets zeros of the vectors.
__device__ __forceinline__ void load_weights(Words& found, const unsigned char* place, bool inside) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %5, 0;\n"
        "@p ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4]; }"
        : "+r"(found.x), "+r"(found.y), "+r"(found.z), "+r"(found.w)
        : "l"(place), "r"((int)inside));
}

// 16 bytes to shared memory, of which the last 16 - `count` are zeros, as late as `wait_for_staged` waits.
__device__ __forceinline__ void copy_behind(unsigned char* to, const void* from, int count) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((word)__cvta_generic_to_shared(to)), "l"(from),
                 "r"(count)
                 : "memory");
}

// The copies begun before it are a group, which `wait_for_staged` waits for.
__device__ __forceinline__ void end_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

__device__ __forceinline__ void wait_for_staged() {
    asm volatile("cp.async.wait_group 0;" ::: "memory");
}

// Into L2, if it comes to it.
__device__ __forceinline__ void ask_for(const void* place) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(place));
}

// The next launch may begin as soon as all blocks of this one have.
__device__ __forceinline__ void let_next_launch_begin() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// What the launch before this one writes is there after this.
__device__ __forceinline__ void wait_for_launch_before() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// How many have come before this block, whose parts, stored before a barrier, all who come later can load from L2.
__device__ __forceinline__ int told_that_came(int* counter) {
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
    return before;
}

__device__ __forceinline__ void multiply(float (&sums)[4], const word (&a)[4], word b0, word b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Beyond float16's largest number it is that: infinity would make the next product's sums NaN.
__device__ __forceinline__ word halves(float low, float high) {
    word both;
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

__device__ __forceinline__ float lower(word both) {
    float value;
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l; }" : "=f"(value) : "r"(both));
    return value;
}

__device__ __forceinline__ float upper(word both) {
    float value;
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h; }" : "=f"(value) : "r"(both));
    return value;
}

// What rounding took from two numbers, 2^11 times: no larger than they are, and of small ones no float16 too small.
__device__ __forceinline__ word rest_of(float low, float high, word rounded) {
    return halves((low - lower(rounded)) * 2048.0f, (high - upper(rounded)) * 2048.0f);
}

__device__ __forceinline__ word word_of(const Words& words, int number) {
    return number == 0 ? words.x : number == 1 ? words.y : number == 2 ? words.z : words.w;
}
