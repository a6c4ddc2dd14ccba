/* 3x3 convolutions of stride 1 by minimal filtering, F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
 *
 * Images and outputs are channels_last: (batch, rows, columns, channels), float32. Tiles of 4x4 outputs are counted from
 * the first requested row and column. An output depends only on the 6x6 inputs of its tile, and is summed over the
 * channels in order: the result is bitwise independent of threads and blocks.
 *
 * Source: Lavin and Gray 2015 (arXiv:1509.09308), section 4.3. The layout of the microkernel: Goto and van de Geijn 2008.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define GROUP 12 /* tiles multiplied at once: two vectors of output channels per tile fit into the registers */
#elif defined(__AVX2__)
#define LANES 8
#define GROUP 6
#else
#define LANES 4
#define GROUP 12
#endif

enum {
    PANEL = 2 * LANES,   /* output channels computed at once */
    SIDE = 6,            /* rows and columns of a tile of the input */
    STEP = 4,            /* rows and columns of a tile of the output */
    KERNEL = 3,          /* rows and columns of a kernel */
    POINTS = SIDE * SIDE,
    BLOCK = 24,          /* tiles per work item of a thread: their transforms fit into its cache */
    PARTS = 3,           /* tensors that hold an input's rows: a ring buffer has up to two, new rows are in a third */
};

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int32_t ivec __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(sizeof(int32_t)), may_alias));

/* Consecutive rows of each image of a batch, with dense columns and channels. Must match _Rows in winograd.py. */
typedef struct {
    const float *first;   /* row of the first image */
    ptrdiff_t count;
    ptrdiff_t image, row; /* distances from one to the next, in floats */
} Rows;

/* Must match _Convolution in model/kernels/winograd.py. */
typedef struct {
    Rows input[PARTS];   /* in_channels; the rows of each follow those of the one before */
    Rows addend[PARTS];  /* out_channels, out_rows in total; no rows if nothing is added */
    const float *weight; /* in the layout of winograd_transform_weight */
    const float *bias;   /* out_channels */
    float *output;       /* dense: batch, out_rows, columns, out_channels */
    ptrdiff_t batch, rows, columns, in_channels, out_channels; /* rows: of the input, in total */
    ptrdiff_t out_rows;      /* rows of the output to compute */
    ptrdiff_t padding_above; /* rows of zeros above the input; as many as needed are added below */
    ptrdiff_t relu;
    ptrdiff_t is_transposed; /* whether to use the kernels with rows and columns exchanged */
} Convolution;

typedef struct {
    const Convolution *convolution;
    ptrdiff_t tile_rows, tile_columns;
    ptrdiff_t blocks; /* number of blocks of tiles */
    ptrdiff_t splits; /* number of parts that the output channels are split into */
    float *scratch;   /* memory for the transforms of all threads */
    atomic_ptrdiff_t threads, items; /* number started so far */
} Work;

/* Calls a function in the given number of threads, and waits: GOMP_parallel of an OpenMP runtime. */
typedef void (*Parallel)(void (*function)(void *), void *argument, unsigned threads, unsigned flags);

typedef struct {
    ptrdiff_t image, top, left;
} Tile;

static const float *find_row(const Rows *parts, ptrdiff_t image, ptrdiff_t row) {
    while (row >= parts->count) row -= parts++->count;
    return parts->first + image * parts->image + row * parts->row;
}

static vec load(const float *from) { return *(const vec *)from; }

static void store(float *to, vec values) { *(vec *)to = values; }

static void transform_input(const vec d[SIDE], vec v[SIDE]) {
    vec even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    vec even_2 = d[4] - d[2], odd_2 = 2 * (d[3] - d[1]);
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = even_2 + odd_2;
    v[4] = even_2 - odd_2;
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

static void transform_output(const vec m[SIDE], vec y[STEP]) {
    vec even = m[1] + m[2], odd = m[1] - m[2];
    vec even_2 = m[3] + m[4], odd_2 = m[3] - m[4];
    y[0] = m[0] + even + even_2;
    y[1] = odd + 2 * odd_2;
    y[2] = even + 4 * even_2;
    y[3] = odd + 8 * odd_2 + m[5];
}

static void transform_kernel(const double g[KERNEL], double u[SIDE]) {
    double even = g[0] + g[2], even_2 = g[0] + 4 * g[2];
    u[0] = g[0] / 4;
    u[1] = -(even + g[1]) / 6;
    u[2] = -(even - g[1]) / 6;
    u[3] = (even_2 + 2 * g[1]) / 24;
    u[4] = (even_2 - 2 * g[1]) / 24;
    u[5] = g[2];
}

/* One tile of the input, all channels; `to` is laid out (POINTS, groups, in_channels / LANES, GROUP, LANES). */
static void transform_input_tile(const Convolution *c, Tile tile, float *to, ptrdiff_t point_stride) {
    ptrdiff_t top = tile.top - c->padding_above, left = tile.left - 1;
    const float *rows[SIDE];
    for (ptrdiff_t i = 0; i < SIDE; i++)
        rows[i] = top + i >= 0 && top + i < c->rows ? find_row(c->input, tile.image, top + i) : NULL;
    int is_inside = top >= 0 && left >= 0 && top + SIDE <= c->rows && left + SIDE <= c->columns;
    for (ptrdiff_t channel = 0; channel < c->in_channels; channel += LANES, to += GROUP * LANES) {
        vec columns[SIDE][SIDE];
        for (ptrdiff_t j = 0; j < SIDE; j++) {
            vec d[SIDE], v[SIDE];
            int is_column = left + j >= 0 && left + j < c->columns;
            for (ptrdiff_t i = 0; i < SIDE; i++) {
                int is_pixel = is_inside || (is_column && rows[i]);
                d[i] = is_pixel ? load(rows[i] + (left + j) * c->in_channels + channel) : (vec){0};
            }
            transform_input(d, v);
            for (int i = 0; i < SIDE; i++) columns[i][j] = v[i];
        }
        for (int i = 0; i < SIDE; i++) {
            vec v[SIDE];
            transform_input(columns[i], v);
            for (int j = 0; j < SIDE; j++) store(to + (i * SIDE + j) * point_stride, v[j]);
        }
    }
}

/* Multiplies the first tiles of a group by PANEL output channels at one point, summed over the input channels. */
static inline __attribute__((always_inline)) void multiply_tiles(const float *v, const float *u, float *m, ptrdiff_t channels, const int tiles) {
    vec sums[GROUP][2] = {0};
    for (ptrdiff_t channel = 0; channel < channels; channel += LANES, v += GROUP * LANES)
#pragma GCC unroll 4
        for (int lane = 0; lane < LANES; lane++, u += PANEL) {
            vec first = load(u), second = load(u + LANES);
#pragma GCC unroll 12
            for (int tile = 0; tile < tiles; tile++) {
                vec value = v[tile * LANES + lane] - (vec){0}; /* broadcast to all lanes */
                sums[tile][0] += value * first;
                sums[tile][1] += value * second;
            }
        }
#pragma GCC unroll 12
    for (int tile = 0; tile < tiles; tile++) {
        store(m + tile * PANEL, sums[tile][0]);
        store(m + tile * PANEL + LANES, sums[tile][1]);
    }
}

/* The same for a number of tiles known only at run time; a few more may be computed. */
static void multiply(const float *v, const float *u, float *m, ptrdiff_t channels, ptrdiff_t tiles) {
    if (tiles <= GROUP / 3)
        multiply_tiles(v, u, m, channels, GROUP / 3);
    else if (tiles <= 2 * GROUP / 3)
        multiply_tiles(v, u, m, channels, 2 * GROUP / 3);
    else
        multiply_tiles(v, u, m, channels, GROUP);
}

/* LANES channels of one output tile, including bias, sum and ReLU. */
static void transform_output_tile(const Convolution *c, Tile tile, ptrdiff_t channel, const float *m, ptrdiff_t point_stride) {
    vec bias = load(c->bias + channel), rows[STEP][SIDE];
    for (int j = 0; j < SIDE; j++) {
        vec column[SIDE], y[STEP];
        for (int i = 0; i < SIDE; i++) column[i] = load(m + (i * SIDE + j) * point_stride);
        transform_output(column, y);
        for (int i = 0; i < STEP; i++) rows[i][j] = y[i];
    }
    for (ptrdiff_t i = 0; i < STEP && tile.top + i < c->out_rows; i++) {
        ptrdiff_t row = tile.top + i, place = tile.left * c->out_channels + channel;
        float *to = c->output + (tile.image * c->out_rows + row) * c->columns * c->out_channels + place;
        const float *added = c->addend->count ? find_row(c->addend, tile.image, row) + place : NULL;
        vec y[STEP];
        transform_output(rows[i], y);
        for (ptrdiff_t j = 0; j < STEP && tile.left + j < c->columns; j++, to += c->out_channels) {
            vec value = y[j] + bias;
            if (added) value += load(added + j * c->out_channels);
            if (c->relu) value = (vec)((ivec)value & ~(ivec)(value < 0));
            store(to, value);
        }
    }
}

static Tile find_tile(const Work *work, ptrdiff_t number) {
    ptrdiff_t row = number / work->tile_columns;
    return (Tile){row / work->tile_rows, row % work->tile_rows * STEP, number % work->tile_columns * STEP};
}

/* Computes a block of tiles for one split of the output channels. */
static void compute_block(const Work *work, ptrdiff_t block, ptrdiff_t split, float *v, float *m) {
    const Convolution *c = work->convolution;
    ptrdiff_t first = block * BLOCK, left = c->batch * work->tile_rows * work->tile_columns - first;
    ptrdiff_t tiles = left < BLOCK ? left : BLOCK, groups = (tiles + GROUP - 1) / GROUP;
    ptrdiff_t group_size = GROUP * c->in_channels, v_stride = groups * group_size, m_stride = groups * GROUP * PANEL;
    if (tiles % GROUP)
        for (int point = 0; point < POINTS; point++)
            memset(v + point * v_stride + (groups - 1) * group_size, 0, group_size * sizeof(float));
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {
        float *to = v + tile / GROUP * group_size + tile % GROUP * LANES;
        transform_input_tile(c, find_tile(work, first + tile), to, v_stride);
    }
    ptrdiff_t panels = c->out_channels / PANEL, end = panels * (split + 1) / work->splits;
    for (ptrdiff_t panel = panels * split / work->splits; panel < end; panel++) {
        for (int point = 0; point < POINTS; point++) {
            /* The transform of a transposed kernel is the transposed transform of the kernel. */
            int place = c->is_transposed ? point % SIDE * SIDE + point / SIDE : point;
            const float *u = c->weight + (panel * POINTS + place) * c->in_channels * PANEL;
            for (ptrdiff_t group = 0; group < groups; group++) {
                float *to = m + point * m_stride + group * GROUP * PANEL;
                multiply(v + point * v_stride + group * group_size, u, to, c->in_channels, tiles - group * GROUP);
            }
        }
        for (ptrdiff_t tile = 0; tile < tiles; tile++)
            for (int half = 0; half < PANEL; half += LANES) {
                const float *from = m + tile * PANEL + half;
                transform_output_tile(c, find_tile(work, first + tile), panel * PANEL + half, from, m_stride);
            }
    }
}

static ptrdiff_t scratch_size(const Convolution *c) { return BLOCK * POINTS * (c->in_channels + PANEL); }

static void compute_blocks(void *argument) {
    Work *work = argument;
    const Convolution *c = work->convolution;
    float *v = work->scratch + atomic_fetch_add(&work->threads, 1) * scratch_size(c), *m = v + BLOCK * POINTS * c->in_channels;
    ptrdiff_t item;
    while ((item = atomic_fetch_add(&work->items, 1)) < work->blocks * work->splits)
        compute_block(work, item / work->splits, item % work->splits, v, m);
}

/* Lets Python detect kernels of another version, whose structure has other fields. */
ptrdiff_t winograd_convolution_size(void) { return sizeof(Convolution); }

/* The numbers of input and output channels must be multiples of this. */
int winograd_channels(void) { return PANEL; }

/* Transforms (out_channels, in_channels, 3, 3) to (out_channels / PANEL, POINTS, in_channels, PANEL). */
void winograd_transform_weight(const float *weight, float *to, ptrdiff_t out_channels, ptrdiff_t in_channels) {
    for (ptrdiff_t out = 0; out < out_channels; out++)
        for (ptrdiff_t in = 0; in < in_channels; in++, weight += KERNEL * KERNEL) {
            double columns[SIDE][KERNEL], g[KERNEL], u[SIDE];
            for (int j = 0; j < KERNEL; j++) {
                for (int i = 0; i < KERNEL; i++) g[i] = weight[i * KERNEL + j];
                transform_kernel(g, u);
                for (int i = 0; i < SIDE; i++) columns[i][j] = u[i];
            }
            float *place = to + (out / PANEL * POINTS * in_channels + in) * PANEL + out % PANEL;
            for (int i = 0; i < SIDE; i++) {
                transform_kernel(columns[i], u);
                for (int j = 0; j < SIDE; j++) place[(i * SIDE + j) * in_channels * PANEL] = (float)u[j];
            }
        }
}

/* Returns 0, or 1 if there is too little memory. */
int winograd_convolve(const Convolution *convolution, ptrdiff_t threads, Parallel parallel) {
    Work work = {
        .convolution = convolution,
        .tile_rows = (convolution->out_rows + STEP - 1) / STEP,
        .tile_columns = (convolution->columns + STEP - 1) / STEP,
    };
    ptrdiff_t panels = convolution->out_channels / PANEL;
    work.blocks = (convolution->batch * work.tile_rows * work.tile_columns + BLOCK - 1) / BLOCK;
    /* The input is transformed again for each split, which costs little if there are many channels. */
    work.splits = work.blocks >= 4 * threads ? 1 : threads < panels ? threads : panels;
    if (threads > work.blocks * work.splits) threads = work.blocks * work.splits;
    work.scratch = malloc(threads * scratch_size(convolution) * sizeof(float));
    if (!work.scratch) return 1;
    if (threads > 1)
        parallel(compute_blocks, &work, threads, 0);
    else
        compute_blocks(&work);
    free(work.scratch);
    return 0;
}
