// Products of palettized matrices with a few vectors, by tables in shared memory.
//
// A byte of packed weights is an index of a table of 256 words: two weights of 4 bits, or one of 8. Every lane of a
// warp has a copy of each word in a bank of its own, so a lookup never waits for another, and the byte itself, put
// into place by one `prmt`, is the word's address. Words are the tensor cores' first factor as they come.
//
// O rows, I columns, R vectors. Given when this file is compiled: BITS (4 or 8); VECTORS, the most that R may be;
// SPLIT, whether vectors are float32 and multiplied as two float16 numbers each, rounded and the rest, or float16;
// HALVES (2 or 4), codebooks of 32 rows that a block has tables of; JOIN, what a launch computes: 0, a product; 1, two
// of matrices with as many columns; 2, the sum of two whose matrices have as many rows. All is float32 from there on.

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
    const unsigned char* data[2];        // [O, I · BITS / 8]
    const unsigned short* codebooks[2];  // float16 [O / group, 2^BITS]
    const void* x[2];                    // [R, I] float32, or float16 where they are not split
    const float* bias[2];                // [O], or null; where a sum is computed, of the first
    const float* added[2];               // [R, O], or null
    void* out[2];                        // [R, O] float32, or float16
    float* parts;                        // [blocks, 2, VECTORS, TILE_ROWS]
    int* counters;                       // [tiles], all 0, and 0 again at the end
    int rows[2], columns[2], group[2];
    int gelu[2], half_out[2];
    int vectors;
    int staged;  // units of the vectors that shared memory holds; without SPLIT, twice
};

// Of two, without an index that would move both to memory.
template <class T>
__device__ __forceinline__ T pick(const T (&two)[2], int which) {
    return which ? two[1] : two[0];
}

__device__ __forceinline__ int units_of(int columns) {
    return (columns * BITS / 8 + UNIT_BYTES - 1) / UNIT_BYTES;
}

__device__ __forceinline__ int tiles_of(int rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS;
}

// Nothing is read that is not `inside`: what the words held then meets zeros of the vectors.
__device__ __forceinline__ void load_weights(Words& found, const unsigned char* place, bool inside) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %5, 0;\n"
        "@p ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4]; }"
        : "+r"(found.x), "+r"(found.y), "+r"(found.z), "+r"(found.w)
        : "l"(place), "r"((int)inside));
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

// What rounding took from two numbers, 2^11 times: no larger than they are, and of small ones no float16 too small.
__device__ __forceinline__ word rest_of(float low, float high, word rounded) {
    return halves((low - lower(rounded)) * 2048.0f, (high - upper(rounded)) * 2048.0f);
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
__device__ __forceinline__ void build_tables(unsigned char* tables, const Product& product, int which, int tile) {
    int byte = threadIdx.x % 256, lane = threadIdx.x % 32;
    constexpr int OWN = 256 * HALVES / THREADS;  // words of a thread
    word entries[OWN];
#pragma unroll
    for (int number = 0; number < OWN; ++number) {
        int half = threadIdx.x / 256 * OWN + number;
        int row = min(tile * TILE_ROWS + half * HALF_ROWS, pick(product.rows, which) - 1);
        const unsigned short* codebook =
            pick(product.codebooks, which) + (wide)(row / pick(product.group, which)) * (1 << BITS);
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
__device__ __forceinline__ void stage(
    unsigned char* vectors, const Product& product, int which, int first, int units) {
    int columns = pick(product.columns, which);
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, first, units);
        bool inside = piece.column < columns && piece.vector < product.vectors;
        const float4* from =
            (const float4*)((const float*)pick(product.x, which) + (wide)piece.vector * columns + piece.column);
        float4 zeros = float4{0.0f, 0.0f, 0.0f, 0.0f};
        float4 a = inside ? from[0] : zeros, b = inside ? from[1] : zeros;
        Words high = Words{halves(a.x, a.y), halves(a.z, a.w), halves(b.x, b.y), halves(b.z, b.w)};
        Words rest = Words{
            rest_of(a.x, a.y, high.x), rest_of(a.z, a.w, high.y), rest_of(b.x, b.y, high.z), rest_of(b.z, b.w, high.w)};
        *(Words*)(vectors + piece.place) = high;
        *(Words*)(vectors + piece.place + 64) = rest;
    }
}

// The same of float16 vectors, on their way while others are multiplied: `wait_for_staged` waits for the thread's own.
__device__ __forceinline__ void stage_behind(
    unsigned char* vectors, const Product& product, int which, int first, int units) {
    int columns = pick(product.columns, which);
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, first, units);
        bool inside = piece.column < columns && piece.vector < product.vectors;
        const unsigned short* from = (const unsigned short*)pick(product.x, which);
        if (inside) from += (wide)piece.vector * columns + piece.column;
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

__device__ __forceinline__ void finish(const Product& product, int which, int vector, int row, float sum) {
    int rows = pick(product.rows, which);
    if (row >= rows || vector >= product.vectors) return;
    wide place = (wide)vector * rows + row;
    const float* bias = pick(product.bias, which);
    const float* added = pick(product.added, which);
    void* out = pick(product.out, which);
    if (bias) sum += bias[row];
    if (pick(product.gelu, which)) sum = 0.5f * sum * (1.0f + erff(sum * 0.70710678118654752f));
    if (added) sum += added[place];
    if (pick(product.half_out, which)) {
        ((unsigned short*)out)[place] = (unsigned short)halves(sum, 0.0f);
    } else {
        ((float*)out)[place] = sum;
    }
}

// All vectors' sums of a tile, [WAYS, VECTORS, TILE_ROWS].
__device__ __forceinline__ void gather(float* gathered, const float (&sums)[2][SLICE_TILES][4]) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int half = warp % HALVES, way = warp / HALVES;
#pragma unroll
    for (int rows = 0; rows < 2; ++rows) {
#pragma unroll
        for (int tile = 0; tile < SLICE_TILES; ++tile) {
            float* out = gathered + way * VECTORS * TILE_ROWS + half * HALF_ROWS + rows * 16 + lane / 4;
            const float(&four)[4] = sums[rows][tile];
            if (SPLIT) {
                int vector = tile * 4 + lane % 4;
                if (vector < VECTORS) {
                    out[vector * TILE_ROWS] = four[0] + four[1] * 0x1p-11f;
                    out[vector * TILE_ROWS + 8] = four[2] + four[3] * 0x1p-11f;
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

// Adds units `first` to `last` - 1 of a tile of one of the matrices, times the vectors, to `sums`.
__device__ __forceinline__ void accumulate(
    float (&sums)[2][SLICE_TILES][4], unsigned char* tables, const Product& product, int which, int tile, int first,
    int last) {
    unsigned char* vectors = tables + TABLE_BYTES;
    int staged_bytes = product.staged * UNIT_PLACES * SLICES * 16;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int half = warp % HALVES, way = warp / HALVES;
    word place = half / 2 << 16 | half % 2 << 7 | lane << 2;
    int row_bytes = pick(product.columns, which) * BITS / 8;
    int row = min(tile * TILE_ROWS + half * HALF_ROWS, pick(product.rows, which) - HALF_ROWS);  // halves are whole
    int lane_begin = lane % 4 * 16 + way * STEP_BYTES;
    const unsigned char* lane_data = pick(product.data, which) + (wide)(row + lane / 4) * row_bytes + lane_begin;
    auto load = [&](Words(&weights)[4], int number) {
        int offset = number * UNIT_BYTES;
        bool inside = number < last && lane_begin + offset < row_bytes;
#pragma unroll
        for (int part = 0; part < 4; ++part) {
            load_weights(weights[part], lane_data + offset + part * 8 * row_bytes, inside);
        }
    };
    Words now[4] = {}, next[4] = {}, then[4] = {};  // in turns, not moved on: a move would wait for the load
    int turn = 0;
    load(now, first);
    load(next, first + 1);
    __syncthreads();  // nobody reads the tables and vectors of before
    if (!SPLIT) stage_behind(vectors, product, which, first, min(last - first, product.staged));
    build_tables(tables, product, which, tile);
    int side = 0;
    for (int chunk = first; chunk < last; chunk += product.staged) {
        int stop = min(last, chunk + product.staged);
        const unsigned char* held = vectors;
        if (SPLIT) {
            if (chunk != first) __syncthreads();
            stage(vectors, product, which, chunk, stop - chunk);
            __syncthreads();
        } else {
            held += side * staged_bytes;
            side = 1 - side;
            wait_for_staged();
            __syncthreads();
            if (stop < last) {
                stage_behind(vectors + side * staged_bytes, product, which, stop, min(last - stop, product.staged));
            }
        }
        int number = chunk;
        auto step = [&](Words(&ahead)[4], const Words(&weights)[4]) {
            load(ahead, number + 2);
            multiply_step(sums, weights, tables, held, (number - chunk) * WAYS + way, place, lane);
            ++number;
        };
        while (number < stop) {
            if (turn == 0) {
                step(then, now);
                turn = 1;
                if (number == stop) break;
            }
            if (turn == 1) {
                step(now, next);
                turn = 2;
                if (number == stop) break;
            }
            step(next, then);
            turn = 0;
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 512 / THREADS) table_product(const Product product) {
    extern __shared__ __align__(16) unsigned char shared[];
    __shared__ int is_last;
    float* gathered = (float*)(shared + TABLE_BYTES);
    int first_units = units_of(product.columns[0]), first_tiles = tiles_of(product.rows[0]);
    int units = JOIN == 2 ? first_units + units_of(product.columns[1]) : first_units;  // of a tile
    int tiles = JOIN == 1 ? first_tiles + tiles_of(product.rows[1]) : first_tiles;
    int total = tiles * units, blocks = gridDim.x, block = blockIdx.x;  // their products are far below 2^31
    int end = total * (block + 1) / blocks;
    for (int unit = total * block / blocks; unit < end;) {
        int tile = unit / units, first = unit % units;
        int last = min(units, first + end - unit);
        int which = JOIN == 1 && tile >= first_tiles;
        int own_tile = tile - which * first_tiles;  // of its matrix
        float sums[2][SLICE_TILES][4] = {};
        if (JOIN == 2) {
            if (first < first_units) accumulate(sums, shared, product, 0, tile, first, min(last, first_units));
            if (last > first_units) {
                accumulate(sums, shared, product, 1, tile, max(first - first_units, 0), last - first_units);
            }
        } else {
            accumulate(sums, shared, product, which, own_tile, first, last);
        }
        __syncthreads();
        gather(gathered, sums);
        __syncthreads();
        bool whole = first == 0 && last == units;
        float* part = product.parts + (block * 2 + (first == 0)) * VECTORS * TILE_ROWS;
        for (int number = threadIdx.x; number < VECTORS * TILE_ROWS; number += THREADS) {
            float sum = 0.0f;
#pragma unroll
            for (int from = 0; from < WAYS; ++from) sum += gathered[from * VECTORS * TILE_ROWS + number];
            if (whole) {
                finish(product, which, number / TILE_ROWS, own_tile * TILE_ROWS + number % TILE_ROWS, sum);
            } else {
                part[number] = sum;
            }
        }
        if (!whole) {  // the last of a tile's blocks to come adds their parts up in their order: the same bits always
            int first_block = ((tile * units + 1) * blocks - 1) / total;
            int last_block = ((tile + 1) * units * blocks - 1) / total;
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
                    for (int from = first_block; from <= last_block; ++from) {
                        int slot = from * 2 + (from == first_block);
                        sum += __ldcg(product.parts + slot * VECTORS * TILE_ROWS + number);
                    }
                    finish(product, which, number / TILE_ROWS, own_tile * TILE_ROWS + number % TILE_ROWS, sum);
                }
            }
        }
        unit += last - first;
    }
}
