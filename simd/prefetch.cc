#include "simd/prefetch.h"

namespace npk::simd {
namespace {

// AMD (Zen 4).
// Rows in sequence, one query, of the read bandwidth: float32, one thread, 0.92 without being asked
// for, 0.68 with the requests below; its own prefetchers keep up, and being told what they know
// slows them down. A tenth of rows of 512 bytes (pages of 4 KiB), a bare sum, of the speed of as
// many bytes in sequence: 1.00 in groups, 0.62 a row at a time, which looks like a stream, so that
// what lies behind the row is dragged in. Half of the rows: a fifth quicker if all are read.
[[maybe_unused]] constexpr PrefetchPolicy kAmd = {{}, false, ScatteredOrder::kByGroup, 3};

// AMD without AVX-512 (Zen 3).
// Its prefetchers follow a stream too slowly for one core, and four streams well: of the speed of a
// sum over the same bytes in sequence, one thread, filters a row at a time have 0.82 (float32),
// 0.70 (16 bits) and 0.60 (bytes), with requests ahead 0.65 to 0.90, and four rows at once, each in
// a quarter of the block, 1.1 to 1.2 (bytes 1.0); pages of 4 KiB and rows of 128 to 1536 elements
// alike. Rows that are neighbours, read at once, 0.6. Requests in each quarter, of the speed of a
// sum at four places: without 0.98 (float32), 0.86 (16 bits), 0.91 (dot of bytes) and 0.81
// (hamming), 384 bytes ahead 0.98, 0.92, 1.0 and 0.91, 256 and 512 bytes about the same, but for
// float32 with 512, 0.92 (blocks of 512 KiB; those of 128 and 256 KiB 1 to 3 points less). A tenth
// of rows of 512 bytes, of the speed of as many bytes in sequence: 0.25 without requests and in
// groups, 0.32 a row at a time, in whichever order and into whichever cache its lines are asked
// for; half of the rows, 0.39, which is slower than to read all.
[[maybe_unused]] constexpr PrefetchPolicy kAmdInQuarters = {
    {0, 384}, true, ScatteredOrder::kByRow, 3};

// Intel (Sapphire Rapids and later), and what nobody has measured.
// Rows in sequence: without 0.45 to 0.75; its own prefetchers stop at page ends. With the near
// request 2.5 KiB behind the far one float32 and float64 0.99 to 1.1 on huge pages, 0.97 to 1.06
// on those of 4 KiB; 3.5 KiB behind 0.94 to 1.1 and 0.95 to 1.0, 4 KiB and more, when the lines
// have come to rest in the second level, 0.83 to 0.95. Bytes in the third level 0.88 to 0.92 (4 KiB
// pages: 0.98; 3.5 KiB behind 0.85). A tenth of rows of 512 bytes (Xeon 6, huge pages), a bare sum,
// of the speed of as many bytes in sequence: from the third level a row at a time 0.9 to 1.0, in
// groups 0.5 to 0.75; from memory 0.35 to 0.5 in any order, as some eleven lines are under way at
// once and the rest is left to the processor's prefetchers, which drag in what lies behind the row.
// Rows of 128 to 3072 bytes: to read all takes 1.1 to 1.3 times as long if half of them are wanted,
// 0.8 to 0.9 times if three quarters are.
constexpr PrefetchPolicy kOthers = {{11264, 8704}, false, ScatteredOrder::kByRow, 5};

// Zen 4, measured as above: groups of 4 KiB 0.75, of 16 KiB 0.79; the same 8 KiB are best for rows
// of 256 to 3072 bytes.
// Intel: 4 to 16 KiB alike.
constexpr size_t kScatteredBytes = 8192;

}  // namespace

const PrefetchPolicy& prefetch_policy() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amd") != 0) {
    return __builtin_cpu_supports("avx512f") != 0 ? kAmd : kAmdInQuarters;
  }
#endif
  return kOthers;
}

ScatteredAhead scattered_ahead(size_t row_bytes) noexcept {
  size_t rows = kMostScatteredRows;
  while (rows > 1 && rows * row_bytes > kScatteredBytes) rows /= 2;
  return {rows, prefetch_policy().scattered};
}

}  // namespace npk::simd
