// Products of palettized matrices with a few vectors, by tables in shared memory.
//
// A byte of packed weights is an index of a table of 256 words: two weights of 4 bits, or one of 8. Every lane of a
// warp has a copy of each word in a bank of its own, so a lookup never waits for another, and the byte itself, put
// into place by one `prmt`, is the word's address. Words are the tensor cores' first factor as they come.
//
// O rows, I columns, R vectors. Given when this file is compiled: BITS (4 or 8); VECTORS, the most that R may be;
// SPLIT, whether vectors are float32 and multiplied as two float16 numbers each, rounded and the rest, or float16;
// HALVES (2 or 4), codebooks of 32 rows that a block has tables of. All is float32 from the product on.

typedef unsigned int word;
typedef unsigned long long wide;

struct alignas(16) Words {
    word x, y, z, w;
};

constexpr int THREADS = 128 * HALVES;
constexpr int HALF_ROWS = 32;                     // of a warp: two tiles of a tensor core
constexpr int TILE_ROWS = HALVES * HALF_ROWS;     // of a block
constexpr int WAYS = 4;                           // warps that share rows and take steps in turns
constexpr int STEP_BYTES = 64;                    // what a warp reads of a row at once
constexpr int STEP_COLUMNS = STEP_BYTES * 8 / BITS;
constexpr int LANE_COLUMNS = STEP_COLUMNS / 4;
constexpr int PIECES = LANE_COLUMNS / 8;          // of 8 numbers of a vector
constexpr int SLICES = SPLIT ? 2 * VECTORS : VECTORS;
constexpr int SLICE_TILES = (SLICES + 7) / 8;
constexpr int UNIT_BYTES = WAYS * STEP_BYTES;     // a unit of work: a step of each way, in all rows of a block
constexpr int UNIT_PLACES = WAYS * PIECES * 4;    // pieces of a vector in a unit
constexpr int TABLE_BYTES = 256 * HALVES * 32 * 4;  // [half / 2][byte][half % 2][lane] words

struct Product {
    const unsigned char* data;        // [O, I · BITS / 8]
    const unsigned short* codebooks;  // float16 [O / group, 2^BITS]
    const void* x;                    // [R, I] float32, or float16 where they are not split
    const float* bias;                // [O], or null
    const float* added;               // [R, O], or null
    void* out;                        // [R, O] float32, or float16
    float* parts;                     // [blocks, 2, VECTORS, TILE_ROWS]
    int* counters;                    // [tiles], all 0, and 0 again at the end
    int rows, columns, vectors, group;
    int gelu, half_out;
    int staged;                       // units of the vectors that shared memory holds; without SPLIT, twice
};

__device__ __forceinline__ Words load_weights(const unsigned char* place, bool inside) {
    Words found;
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %5, 0; mov.b32 %0, 0; mov.b32 %1, 0; mov.b32 %2, 0; mov.b32 %3, 0;\n"
        "@p ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4]; }"
        : "=&r"(found.x), "=&r"(found.y), "=&r"(found.z), "=&r"(found.w)
        : "l"(place), "r"((int)inside));
    return found;
}

__device__ __forceinline__ void multiply(float (&sums)[4], const word (&a)[4], word b0, word b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ word halves(float low, float high) {
    word both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
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

__device__ __forceinline__ word word_of(const Words& words, int number) {
    return number == 0 ? words.x : number == 1 ? words.y : number == 2 ? words.z : words.w;
}

// The word of byte `number` of `bytes`; `place` is the lane's own in the table of its half.
__device__ __forceinline__ word looked_up(const unsigned char* tables, word bytes, int number, word place) {
    return *(const word*)(tables + __byte_perm(bytes, place, 0x7604 | number << 4));
}

// Two pairs of weights, of four columns that follow each other; such fours of a lane have numbers.
__device__ __forceinline__ void factors(
    const unsigned char* tables, const Words& words, int number, word place, word& first, word& second) {
    if (BITS == 4) {
        word bytes = word_of(words, number / 2);
        first = looked_up(tables, bytes, number % 2 * 2, place);
        second = looked_up(tables, bytes, number % 2 * 2 + 1, place);
    } else {
        word bytes = word_of(words, number);
        first = __byte_perm(looked_up(tables, bytes, 0, place), looked_up(tables, bytes, 1, place), 0x5410);
        second = __byte_perm(looked_up(tables, bytes, 2, place), looked_up(tables, bytes, 3, place), 0x5410);
    }
}

// Where 8 numbers of a slice lie among staged ones: a warp's loads of 16 bytes a lane then follow each other.
__device__ __forceinline__ int place_of(int step, int piece, int slice, int quarter) {
    return (((step * PIECES + piece) * SLICES + slice) * 4 + quarter) * 16;
}

// Columns may be summed in any order that both factors share: lane 4 g + q takes those of its 16 bytes of row g.
__device__ __forceinline__ void multiply_step(
    float (&sums)[2][SLICE_TILES][4], const Words (&weights)[4], const unsigned char* tables,
    const unsigned char* vectors, int step, word place, int lane) {
#pragma unroll
    for (int piece = 0; piece < PIECES; ++piece) {
        Words x[SLICE_TILES];
#pragma unroll
        for (int tile = 0; tile < SLICE_TILES; ++tile) {
            int slice = tile * 8 + lane / 4;
            x[tile] = Words{0, 0, 0, 0};
            if (SLICES % 8 == 0 || slice < SLICES) {
                x[tile] = *(const Words*)(vectors + place_of(step, piece, slice, lane % 4));
            }
        }
#pragma unroll
        for (int part = 0; part < 2; ++part) {
#pragma unroll
            for (int rows = 0; rows < 2; ++rows) {
                word a[4];
                factors(tables, weights[2 * rows], 2 * piece + part, place, a[0], a[2]);
                factors(tables, weights[2 * rows + 1], 2 * piece + part, place, a[1], a[3]);
#pragma unroll
                for (int tile = 0; tile < SLICE_TILES; ++tile) {
                    multiply(sums[rows][tile], a, part ? x[tile].z : x[tile].x, part ? x[tile].w : x[tile].y);
                }
            }
        }
    }
}

// The codebooks of a tile's halves as tables: 8 stores of 16 bytes for each word, a group of 8 lanes on all banks.
__device__ __forceinline__ void build_tables(unsigned char* tables, const Product& product, int tile) {
    int byte = threadIdx.x % 256, lane = threadIdx.x % 32;
    constexpr int OWN = 256 * HALVES / THREADS;  // words of a thread
    word entries[OWN];
#pragma unroll
    for (int number = 0; number < OWN; ++number) {
        int half = threadIdx.x / 256 * OWN + number;
        int row = min(tile * TILE_ROWS + half * HALF_ROWS, product.rows - 1);
        const unsigned short* codebook = product.codebooks + (wide)(row / product.group) * (1 << BITS);
        entries[number] = BITS == 4 ? codebook[byte & 15] | (word)codebook[byte >> 4] << 16 : (word)codebook[byte];
    }
#pragma unroll
    for (int number = 0; number < OWN; ++number) {
        int half = threadIdx.x / 256 * OWN + number;
        word entry = entries[number];
#pragma unroll
        for (int copy = 0; copy < 8; ++copy) {
            *(Words*)(tables + half / 2 * 65536 + byte * 256 + half % 2 * 128 + (copy + lane) % 8 * 16) =
                Words{entry, entry, entry, entry};
        }
    }
}

struct Piece {
    int vector, column, place;
};

// Piece `number` of those that `units` have from unit `first` on.
__device__ __forceinline__ Piece piece_of(int number, int first, int units) {
    int vector = number / (units * UNIT_PLACES), rest = number % (units * UNIT_PLACES);
    int quarter = rest % 4, piece = rest / 4 % PIECES, step = rest / (4 * PIECES);
    int column = (first * WAYS + step) * STEP_COLUMNS + quarter * LANE_COLUMNS + piece * 8;
    return Piece{vector, column, place_of(step, piece, SPLIT ? 2 * vector : vector, quarter)};
}

// `units` of float32 vectors from unit `first` on, split in two.
__device__ __forceinline__ void stage(unsigned char* vectors, const Product& product, int first, int units) {
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, first, units);
        bool inside = piece.column < product.columns && piece.vector < product.vectors;
        const float4* from =
            (const float4*)((const float*)product.x + (wide)piece.vector * product.columns + piece.column);
        float4 zeros = float4{0.0f, 0.0f, 0.0f, 0.0f};
        float4 a = inside ? from[0] : zeros, b = inside ? from[1] : zeros;
        Words high = Words{halves(a.x, a.y), halves(a.z, a.w), halves(b.x, b.y), halves(b.z, b.w)};
        Words rest = Words{
            halves(a.x - lower(high.x), a.y - upper(high.x)), halves(a.z - lower(high.y), a.w - upper(high.y)),
            halves(b.x - lower(high.z), b.y - upper(high.z)), halves(b.z - lower(high.w), b.w - upper(high.w))};
        *(Words*)(vectors + piece.place) = high;
        *(Words*)(vectors + piece.place + 64) = rest;
    }
}

// The same of float16 vectors, on their way while others are multiplied: `wait_for_staged` waits for the thread's own.
__device__ __forceinline__ void stage_behind(unsigned char* vectors, const Product& product, int first, int units) {
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, first, units);
        bool inside = piece.column < product.columns && piece.vector < product.vectors;
        const unsigned short* from = (const unsigned short*)product.x;
        if (inside) from += (wide)piece.vector * product.columns + piece.column;
        asm volatile(
            "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((word)__cvta_generic_to_shared(vectors + piece.place)),
            "l"(from), "r"(inside ? 16 : 0)
            : "memory");
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
}

__device__ __forceinline__ void wait_for_staged() {
    asm volatile("cp.async.wait_group 0;" ::: "memory");
}

__device__ __forceinline__ void finish(const Product& product, int vector, int row, float sum) {
    if (row >= product.rows || vector >= product.vectors) return;
    wide place = (wide)vector * product.rows + row;
    if (product.bias) sum += product.bias[row];
    if (product.gelu) sum = 0.5f * sum * (1.0f + erff(sum * 0.70710678118654752f));
    if (product.added) sum += product.added[place];
    if (product.half_out) {
        ((unsigned short*)product.out)[place] = (unsigned short)halves(sum, 0.0f);
    } else {
        ((float*)product.out)[place] = sum;
    }
}

// All vectors' sums of a tile, [WAYS, VECTORS, TILE_ROWS].
__device__ __forceinline__ void gather(float* gathered, const float (&sums)[2][SLICE_TILES][4], int half, int way) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int rows = 0; rows < 2; ++rows) {
#pragma unroll
        for (int tile = 0; tile < SLICE_TILES; ++tile) {
            float* out = gathered + way * VECTORS * TILE_ROWS + half * HALF_ROWS + rows * 16 + lane / 4;
            const float(&four)[4] = sums[rows][tile];
            if (SPLIT) {
                int vector = tile * 4 + lane % 4;
                if (vector < VECTORS) {
                    out[vector * TILE_ROWS] = four[0] + four[1];
                    out[vector * TILE_ROWS + 8] = four[2] + four[3];
                }
            } else {
                int vector = tile * 8 + lane % 4 * 2;
                if (vector < VECTORS) {
                    out[vector * TILE_ROWS] = four[0];
                    out[vector * TILE_ROWS + 8] = four[2];
                    out[(vector + 1) * TILE_ROWS] = four[1];
                    out[(vector + 1) * TILE_ROWS + 8] = four[3];
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 512 / THREADS) table_product(const Product product) {
    extern __shared__ __align__(16) unsigned char shared[];
    __shared__ int is_last;
    unsigned char* tables = shared;
    unsigned char* vectors = shared + TABLE_BYTES;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int half = warp % HALVES, way = warp / HALVES;
    word place = half / 2 << 16 | half % 2 << 7 | lane << 2;
    int row_bytes = product.columns * BITS / 8;
    int units = (row_bytes + UNIT_BYTES - 1) / UNIT_BYTES;  // of a tile
    int tiles = (product.rows + TILE_ROWS - 1) / TILE_ROWS;
    int staged_bytes = product.staged * UNIT_PLACES * SLICES * 16;
    wide total = (wide)tiles * units;
    wide begin = total * blockIdx.x / gridDim.x, end = total * (blockIdx.x + 1) / gridDim.x;
    for (wide unit = begin; unit < end;) {
        int tile = (int)(unit / units), first = (int)(unit % units);
        int last = (int)min((wide)units, first + end - unit);
        int row = min(tile * TILE_ROWS + half * HALF_ROWS, product.rows - HALF_ROWS) + lane / 4;  // halves are whole
        int lane_begin = lane % 4 * 16 + way * STEP_BYTES;
        const unsigned char* lane_data = product.data + (wide)row * row_bytes + lane_begin;
        auto load = [&](Words(&weights)[4], int number) {
            int offset = number * UNIT_BYTES;
            bool inside = number < last && lane_begin + offset < row_bytes;
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                weights[part] = load_weights(lane_data + offset + part * 8 * row_bytes, inside);
            }
        };
        Words now[4], next[4], then[4];
        load(now, first);
        load(next, first + 1);
        __syncthreads();  // nobody reads the tables and vectors of before
        if (!SPLIT) stage_behind(vectors, product, first, min(last - first, product.staged));
        build_tables(tables, product, tile);
        float sums[2][SLICE_TILES][4] = {};
        int side = 0;
        for (int chunk = first; chunk < last; chunk += product.staged) {
            int stop = min(last, chunk + product.staged);
            const unsigned char* held = vectors;
            if (SPLIT) {
                if (chunk != first) __syncthreads();
                stage(vectors, product, chunk, stop - chunk);
                __syncthreads();
            } else {
                held += side * staged_bytes;
                side = 1 - side;
                wait_for_staged();
                __syncthreads();
                if (stop < last) {
                    stage_behind(vectors + side * staged_bytes, product, stop, min(last - stop, product.staged));
                }
            }
            for (int number = chunk; number < stop; ++number) {
                load(then, number + 2);
                multiply_step(sums, now, tables, held, (number - chunk) * WAYS + way, place, lane);
#pragma unroll
                for (int part = 0; part < 4; ++part) {
                    now[part] = next[part];
                    next[part] = then[part];
                }
            }
        }
        __syncthreads();
        float* gathered = (float*)vectors;
        gather(gathered, sums, half, way);
        __syncthreads();
        bool whole = first == 0 && last == units;
        float* part = product.parts + ((wide)blockIdx.x * 2 + (first == 0)) * VECTORS * TILE_ROWS;
        for (int number = threadIdx.x; number < VECTORS * TILE_ROWS; number += THREADS) {
            float sum = 0.0f;
#pragma unroll
            for (int from = 0; from < WAYS; ++from) sum += gathered[from * VECTORS * TILE_ROWS + number];
            if (whole) {
                finish(product, number / TILE_ROWS, tile * TILE_ROWS + number % TILE_ROWS, sum);
            } else {
                part[number] = sum;
            }
        }
        if (!whole) {  // the last of a tile's blocks to come adds their parts up in their order: the same bits always
            int first_block = (int)((((wide)tile * units + 1) * gridDim.x - 1) / total);
            int last_block = (int)((((wide)tile + 1) * units * gridDim.x - 1) / total);
            __threadfence();
            __syncthreads();
            if (threadIdx.x == 0) {
                is_last = atomicAdd(product.counters + tile, 1) == last_block - first_block;
                if (is_last) product.counters[tile] = 0;
                __threadfence();
            }
            __syncthreads();
            if (is_last) {
                for (int number = threadIdx.x; number < VECTORS * TILE_ROWS; number += THREADS) {
                    float sum = 0.0f;
                    for (int block = first_block; block <= last_block; ++block) {
                        wide slot = (wide)block * 2 + (block == first_block);
                        sum += __ldcg(product.parts + slot * VECTORS * TILE_ROWS + number);
                    }
                    finish(product, number / TILE_ROWS, tile * TILE_ROWS + number % TILE_ROWS, sum);
                }
            }
        }
        unit += last - first;
    }
}
