// What a block of table.cu computes, and what it reads for that before any vector is there.

#pragma once

#include "words.cuh"

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
    const float* scale[2];               // [I], where x is normed: what its norm multiplies by,
    const float* shift[2];               // [I], and what it adds
    int rows[2], columns[2], group[2];
    int gelu[2], half_out[2];
    int vectors;
    int staged;  // units of the vectors that half of their room holds, a multiple of SET
    float epsilon;
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

// Units `first` to `last` - 1 of a tile of one of the matrices: work of a block without another's tables between.
struct Segment {
    int which, tile, first, last;
};

// Units `begin` to `end` - 1 of all tiles', one after the other: what this block has of a launch.
struct Share {
    int first_tiles, first_units;  // of the first matrix, and of its tiles
    int units, total;              // of a tile, and of all
    int begin, end;

    __device__ __forceinline__ explicit Share(const Product& product) {
        first_tiles = tiles_of(product.rows[0]);
        first_units = units_of(product.columns[0]);
        units = JOIN == 2 ? first_units + units_of(product.columns[1]) : first_units;
        total = (JOIN == 1 ? first_tiles + tiles_of(product.rows[1]) : first_tiles) * units;
        begin = total * (int)blockIdx.x / (int)gridDim.x;  // far below 2^31
        end = total * (int)(blockIdx.x + 1) / (int)gridDim.x;
    }

    // The block whose share has `unit`.
    __device__ __forceinline__ int block_of(int unit) const { return ((unit + 1) * (int)gridDim.x - 1) / total; }

    // What begins at `unit`; nothing at the end.
    __device__ __forceinline__ Segment segment_at(int unit) const {
        int first = unit % units;
        Segment found = Segment{0, unit / units, first, min(units, first + end - unit)};
        if (JOIN == 1) {
            found.which = found.tile >= first_tiles;
            found.tile -= found.which * first_tiles;
        }
        if (JOIN == 2) {
            found.which = first >= first_units;
            if (found.which) {
                found.first -= first_units;
                found.last -= first_units;
            } else {
                found.last = min(found.last, first_units);
            }
        }
        return found;
    }
};

// A thread's number in its warp, the half that the warp has of the block's rows, and which of that half's warps it is.
struct Worker {
    int lane, half, way;

    __device__ __forceinline__ Worker() {
        int warp = threadIdx.x / 32;
        lane = threadIdx.x % 32;
        half = warp % HALVES;
        way = warp / HALVES;
    }
};

// A lane's part of a segment's weights.
struct Reader {
    const unsigned char* data;
    int row_bytes, begin, last;

    __device__ __forceinline__ Reader(const Product& product, const Segment& segment) {
        const Worker own;
        int rows = pick(product.rows, segment.which);
        int row = min(segment.tile * TILE_ROWS + own.half * HALF_ROWS, rows - HALF_ROWS);  // halves are whole
        row_bytes = pick(product.columns, segment.which) * BITS / 8;
        begin = own.lane % 4 * 16 + own.way * STEP_BYTES;
        last = segment.last;
        data = pick(product.data, segment.which) + (wide)(row + own.lane / 4) * row_bytes + begin;
    }

    // Units from `first` on, asked for when `nought`, 0, is known.
    __device__ __forceinline__ void load(Words (&weights)[SET][4], int first, word nought = 0) const {
#pragma unroll
        for (int number = 0; number < SET; ++number) {
            int offset = (first + number) * UNIT_BYTES + (int)nought;
            bool inside = first + number < last && begin + offset < row_bytes;
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                load_weights(weights[number][part], data + offset + part * 8 * row_bytes, inside);
            }
        }
    }
};

// A thread's words of a tile's tables: all threads together make them of its halves' codebooks.
struct Entries {
    static constexpr int COUNT = 256 * HALVES / THREADS;
    unsigned short low[COUNT], high[COUNT];  // joined when they are needed: that would wait for them

    __device__ __forceinline__ static int half(int number) { return threadIdx.x / 256 * COUNT + number; }

    __device__ __forceinline__ void fetch(const Product& product, const Segment& segment) {
        int byte = threadIdx.x % 256;
#pragma unroll
        for (int number = 0; number < COUNT; ++number) {
            int row = min(
                segment.tile * TILE_ROWS + half(number) * HALF_ROWS, pick(product.rows, segment.which) - HALF_ROWS);
            const unsigned short* codebook = pick(product.codebooks, segment.which) +
                                             (wide)(row / pick(product.group, segment.which)) * (1 << BITS);
            low[number] = codebook[BITS == 4 ? byte & 15 : byte];
            if (BITS == 4) high[number] = codebook[byte >> 4];
        }
    }

    // 8 stores of 16 bytes for each word, a group of 8 lanes on all banks.
    __device__ __forceinline__ void spread(unsigned char* tables) const {
        int byte = threadIdx.x % 256, lane = threadIdx.x % 32;
#pragma unroll
        for (int number = 0; number < COUNT; ++number) {
            word entry = BITS == 4 ? low[number] | (word)high[number] << 16 : (word)low[number];
            unsigned char* own = tables + half(number) / 2 * 65536 + byte * 256 + half(number) % 2 * 128;
#pragma unroll
            for (int copy = 0; copy < 8; ++copy) {
                *(Words*)(own + (copy + lane) % 8 * 16) = Words{entry, entry, entry, entry};
            }
        }
    }
};

// Where 8 numbers of a slice lie among staged ones: a warp's loads of 16 bytes a lane then follow each other.
__device__ __forceinline__ int place_of(int step, int piece, int slice, int quarter) {
    return (((step * PIECES + piece) * SLICES + slice) * 4 + quarter) * 16;
}

// Eight numbers of a vector as they are staged: float32 ones in two halves, in the places of their two slices.
struct Piece {
    int vector, column, place;
    int turn;  // bytes by which a second slice's piece lies before, not behind, the first's as they are stored

    __device__ __forceinline__ int first() const { return place + turn; }
    __device__ __forceinline__ int second() const { return place + (64 - turn); }
};

// Piece `number` of those that `units` have from unit `first` on. Eight that follow each other are stored to all banks.
__device__ __forceinline__ Piece piece_of(int number, int first, int units) {
    constexpr int PAIR = SPLIT ? 1 : 2;  // vectors whose pieces lie beside each other
    int quarter = number % 4, one = number / 4 % PAIR, piece = number / (4 * PAIR) % PIECES;
    int rest = number / (4 * PAIR * PIECES), steps = units * WAYS;
    int step = VECTORS == PAIR ? rest : rest % steps;
    int vector = VECTORS == PAIR ? one : rest / steps * PAIR + one;
    int column = (first * WAYS + step) * STEP_COLUMNS + quarter * LANE_COLUMNS + piece * 8;
    return Piece{vector, column, place_of(step, piece, SPLIT ? 2 * vector : vector, quarter), piece % 2 * 64};
}
