// A layer norm of a vector that lies whole in shared memory, by all threads of a block.

#pragma once

#include "work.cuh"

// The norms' own numbers are on their way before the launch before this one ends: a few blocks ask for them all.
__device__ __forceinline__ void ask_for_norms(const Product& product) {
    int first = (blockIdx.x * THREADS + threadIdx.x) * 32;  // of a line of 128 bytes
    if (first >= product.columns[0]) return;
#pragma unroll
    for (int which = 0; which < 2; ++which) {
        ask_for(product.scale[which] + first);
        ask_for(product.shift[which] + first);
    }
}

// Of all threads' numbers, in one order; `warps` [THREADS / 32] is not written again before all have met once more.
__device__ __forceinline__ float sum_of_all(float own, float* warps) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) own += __shfl_xor_sync(0xFFFFFFFF, own, distance);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = own;
    __syncthreads();
    float sum = 0.0f;
#pragma unroll
    for (int warp = 0; warp < THREADS / 32; ++warp) sum += warps[warp];
    return sum;
}

__device__ __forceinline__ float squares_of(float4 x, float mean) {
    float a = x.x - mean, b = x.y - mean, c = x.z - mean, d = x.w - mean;
    return a * a + b * b + (c * c + d * d);
}

__device__ __forceinline__ float4 normed(float4 x, float mean, float factor, const float* scale, const float* shift) {
    float4 times = __ldg((const float4*)scale), plus = __ldg((const float4*)shift);
    return float4{
        (x.x - mean) * factor * times.x + plus.x, (x.y - mean) * factor * times.y + plus.y,
        (x.z - mean) * factor * times.z + plus.z, (x.w - mean) * factor * times.w + plus.w};
}

// Of the one float32 vector of `units` as it was staged, in its place, each thread what it has staged.
__device__ __forceinline__ void normalize(unsigned char* vectors, const Product& product, int which, int units) {
    __shared__ float warps[2][THREADS / 32];
    int columns = pick(product.columns, which), count = units * UNIT_PLACES;
    float sum = 0.0f, squares = 0.0f;
    for (int number = threadIdx.x; number < count; number += THREADS) {  // behind the last column lie zeros
        Piece piece = piece_of(number, 0, units);
        float4 a = *(const float4*)(vectors + piece.first()), b = *(const float4*)(vectors + piece.second());
        sum += a.x + a.y + (a.z + a.w) + (b.x + b.y + (b.z + b.w));
    }
    float mean = sum_of_all(sum, warps[0]) / (float)columns;
    for (int number = threadIdx.x; number < count; number += THREADS) {
        Piece piece = piece_of(number, 0, units);
        if (piece.column >= columns) continue;
        float4 a = *(const float4*)(vectors + piece.first()), b = *(const float4*)(vectors + piece.second());
        squares += squares_of(a, mean) + squares_of(b, mean);
    }
    float factor = rsqrtf(sum_of_all(squares, warps[1]) / (float)columns + product.epsilon);
    const float* scale = pick(product.scale, which);
    const float* shift = pick(product.shift, which);
#pragma unroll 2
    for (int number = threadIdx.x; number < count; number += THREADS) {
        Piece piece = piece_of(number, 0, units);
        if (piece.column >= columns) continue;
        float4* a = (float4*)(vectors + piece.first());
        float4* b = (float4*)(vectors + piece.second());
        *a = normed(*a, mean, factor, scale + piece.column, shift + piece.column);
        *b = normed(*b, mean, factor, scale + piece.column + 4, shift + piece.column + 4);
    }
}
