// Products of palettized matrices with a few vectors, by tables in shared memory.
//
// A byte of packed weights is an index of a table of 256 words: two weights of 4 bits, or one of 8. Every lane of a
// warp has a copy of each word in a bank of its own, so a lookup never waits for another, and the byte itself, put
// into place by one `prmt`, is the word's address. Words are the tensor cores' first factor as they come.
//
// O rows, I columns, R vectors. Given when this file is compiled: BITS (4 or 8); VECTORS, the most that R may be;
// SPLIT, whether vectors are float32 and multiplied as two float16 numbers each, rounded and the rest, or float16;
// HALVES (2 or 4), codebooks of 32 rows that a block has tables of; SET, units of work that a warp loads at once; JOIN,
// what a launch computes: 0, a product; 1, two of matrices with as many columns; 2, the sum of two whose matrices have as
// many rows; NORM, whether a single float32 vector is normed as it is fetched, whole. All is float32 from there on.

#include "work.cuh"
#include "norm.cuh"

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

// `units` of the vectors from unit `first` on, on their way while others are multiplied: `wait_for_staged` waits for the
// thread's own. Of float32 ones, each piece's halves take the places of what `split` makes of them.
__device__ __forceinline__ void stage(
    unsigned char* vectors, const Product& product, int which, int first, int units) {
    int columns = pick(product.columns, which);
    const unsigned char* x = (const unsigned char*)pick(product.x, which);
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, first, units);
        bool inside = piece.column < columns && piece.vector < product.vectors;
        wide place = inside ? ((wide)piece.vector * columns + piece.column) * (SPLIT ? 4 : 2) : 0;
        int count = inside ? 16 : 0;
        if (SPLIT) {
            copy_behind(vectors + piece.first(), x + place, count);
            copy_behind(vectors + piece.second(), x + place + 16, count);
        } else {
            copy_behind(vectors + piece.place, x + place, count);
        }
    }
    end_copies();
}

// Makes two slices of each float32 vector of `units`, in its place, each thread of what it has staged: rounded, and the
// rest.
__device__ __forceinline__ void split(unsigned char* vectors, int units) {
    for (int number = threadIdx.x; number < VECTORS * units * UNIT_PLACES; number += THREADS) {
        Piece piece = piece_of(number, 0, units);
        Words* one = (Words*)(vectors + piece.first());
        Words* other = (Words*)(vectors + piece.second());
        float4 a = *(const float4*)one, b = *(const float4*)other;
        Words high = Words{halves(a.x, a.y), halves(a.z, a.w), halves(b.x, b.y), halves(b.z, b.w)};
        Words rest = Words{
            rest_of(a.x, a.y, high.x), rest_of(a.z, a.w, high.y), rest_of(b.x, b.y, high.z), rest_of(b.z, b.w, high.w)};
        *one = piece.turn ? rest : high;
        *other = piece.turn ? high : rest;
    }
}

// A row's place among a vector's sums: lanes that hold other vectors of the same rows have other banks.
__device__ __forceinline__ int scattered(int row, int vector) {
    return row ^ vector / (SPLIT ? 1 : 2) % 4 * 8;
}

// All vectors' sums of a tile, [WAYS, VECTORS, TILE_ROWS], rows at their `scattered` places.
__device__ __forceinline__ void gather(float* gathered, const float (&sums)[2][SLICE_TILES][4]) {
    const Worker own;
#pragma unroll
    for (int rows = 0; rows < 2; ++rows) {
#pragma unroll
        for (int tile = 0; tile < SLICE_TILES; ++tile) {
            int row = own.half * HALF_ROWS + rows * 16 + own.lane / 4;
            const float(&four)[4] = sums[rows][tile];
            if (SPLIT) {
                int vector = tile * 4 + own.lane % 4;
                float* out = gathered + (own.way * VECTORS + vector) * TILE_ROWS;
                if (vector < VECTORS) {
                    out[scattered(row, vector)] = four[0] + four[1] * 0x1p-11f;
                    out[scattered(row + 8, vector)] = four[2] + four[3] * 0x1p-11f;
                }
            } else {
                int vector = tile * 8 + own.lane % 4 * 2;
                float* out = gathered + (own.way * VECTORS + vector) * TILE_ROWS;
                if (vector < VECTORS) {
                    out[scattered(row, vector)] = four[0];
                    out[scattered(row + 8, vector)] = four[2];
                    out[TILE_ROWS + scattered(row, vector)] = four[1];
                    out[TILE_ROWS + scattered(row + 8, vector)] = four[3];
                }
            }
        }
    }
}

__device__ __forceinline__ void finish(const Product& product, int which, int tile, int number, float sum) {
    int vector = number / TILE_ROWS, row = tile * TILE_ROWS + scattered(number % TILE_ROWS, vector);
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

// What units up to `unit` of the tile that begins at `tile_begin` sum up to: put where it belongs if the block had all of
// them, else added to other blocks' sums by the last of them to come, in their order: the same bits always.
__device__ __forceinline__ void put(
    const Product& product, const Share& share, int which, int tile, int tile_begin, int unit, const float* gathered) {
    __shared__ int is_last;
    bool from_begin = share.begin <= tile_begin;
    bool whole = from_begin && unit == tile_begin + share.units;
    float* part = product.parts + (blockIdx.x * 2 + from_begin) * VECTORS * TILE_ROWS;
    for (int number = threadIdx.x; number < VECTORS * TILE_ROWS; number += THREADS) {
        float sum = 0.0f;
#pragma unroll
        for (int from = 0; from < WAYS; ++from) sum += gathered[from * VECTORS * TILE_ROWS + number];
        if (whole) {
            finish(product, which, tile, number, sum);
        } else {
            part[number] = sum;
        }
    }
    if (whole) return;
    int first_block = share.block_of(tile_begin), last_block = share.block_of(tile_begin + share.units - 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        is_last = told_that_came(product.counters + tile_begin / share.units) == last_block - first_block;
        if (is_last) product.counters[tile_begin / share.units] = 0;
    }
    __syncthreads();
    if (!is_last) return;
    for (int number = threadIdx.x; number < VECTORS * TILE_ROWS; number += THREADS) {
        float sum = 0.0f;
        for (int from = first_block; from <= last_block; ++from) {
            int slot = from * 2 + (from == first_block);
            sum += __ldcg(product.parts + slot * VECTORS * TILE_ROWS + number);
        }
        finish(product, which, tile, number, sum);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 512 / THREADS) table_product(const Product product) {
    extern __shared__ __align__(16) unsigned char tables[];
    unsigned char* vectors = tables + TABLE_BYTES;
    float* gathered = (float*)tables;
    const Worker own;
    word lane_place = own.half / 2 << 16 | own.half % 2 << 7 | own.lane << 2;
    int staged_bytes = product.staged * UNIT_PLACES * SLICES * 16;
    const Share share(product);

    let_next_launch_begin();
    Segment segment = share.segment_at(share.begin);
    Reader reader(product, segment);
    Words now[SET][4] = {}, next[SET][4] = {};  // in turns, not moved on: a move would wait for the load
    reader.load(now, segment.first);
    Entries entries;
    entries.fetch(product, segment);
    if (NORM) ask_for_norms(product);
    bool fits = NORM || SPLIT && max(share.first_units, units_of(product.columns[JOIN == 2])) <= 2 * product.staged;
    const void* row_held = nullptr;  // of those that fit: whose are staged from their beginning to their end
    int side = 0;                    // of the others: which half of the room is read next
    float sums[2][SLICE_TILES][4] = {};
    for (int unit = share.begin; unit < share.end;) {
        int which = segment.which;
        __syncthreads();  // nobody reads the tables and vectors of before
        entries.spread(tables);
        if (unit == share.begin) {
            wait_for_launch_before();  // until here, only what no launch writes was read
            if (!fits) stage(vectors, product, which, segment.first, min(segment.last - segment.first, product.staged));
        }
        const void* row = NORM ? pick(product.scale, which) : pick(product.x, which);
        int row_units = units_of(pick(product.columns, which));
        bool fresh = row != row_held;
        if (fits && fresh) stage(vectors, product, which, 0, row_units);
        row_held = row;
        int after = unit + segment.last - segment.first;
        Segment following = share.segment_at(after);
        bool odd = false;
        for (int chunk = segment.first; chunk < segment.last;) {
            int stop = fits ? segment.last : min(segment.last, chunk + product.staged);
            int base = fits ? 0 : chunk;
            unsigned char* held = vectors + (fits ? 0 : side * staged_bytes);
            if (!fits || fresh) {
                wait_for_staged();
                if (NORM) normalize(held, product, which, row_units);
                if (SPLIT) split(held, fits ? row_units : stop - chunk);
            }
            __syncthreads();
            if (!fits) {
                side = 1 - side;
                bool same = stop < segment.last;
                int from = same ? stop : following.first, count = (same ? segment.last : following.last) - from;
                if (count > 0) {
                    stage(
                        vectors + side * staged_bytes, product, same ? which : following.which, from,
                        min(count, product.staged));
                }
            }
            auto step = [&](Words(&ahead)[SET][4], const Words(&weights)[SET][4]) {
                // Known when all of `weights` are there, for all loads are counted as one: a wait for these, once others
                // are asked for, would be for those, too. The compiler cannot tell that it is 0.
                word nought = weights[SET - 1][3].w & (word)(product.vectors >> 16);
                reader.load(ahead, chunk + SET, nought);
#pragma unroll
                for (int number = 0; number < SET; ++number) {
                    if (number > 0 && chunk + number >= stop) break;
                    int place = (chunk + number - base) * WAYS + own.way;
                    multiply_step(sums, weights[number], tables, held, place, lane_place, own.lane);
                }
                chunk += SET;
            };
            while (chunk < stop) {
                if (!odd) {
                    step(next, now);
                    odd = true;
                    if (chunk >= stop) break;
                }
                step(now, next);
                odd = false;
            }
        }
        int tile = segment.tile, tile_begin = unit / share.units * share.units;
        unit = after;
        segment = following;
        reader = Reader(product, segment);
        reader.load(now, segment.first);
        if (unit < share.end) entries.fetch(product, segment);
        if (JOIN == 2 && unit != tile_begin + share.units && unit != share.end) continue;  // the tile's other matrix

        __syncthreads();
        gather(gathered, sums);
        __syncthreads();
        put(product, share, JOIN == 2 ? 0 : which, tile, tile_begin, unit, gathered);
#pragma unroll
        for (int rows = 0; rows < 2; ++rows) {
#pragma unroll
            for (int slices = 0; slices < SLICE_TILES; ++slices) {
#pragma unroll
                for (int number = 0; number < 4; ++number) sums[rows][slices][number] = 0.0f;
            }
        }
    }
}
