// Every kernel of every target against its scalar twin, bit for bit, in buffers that end at a page
// without access.
#include "simd/scan.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "npk/dtype.h"
#include "tests/support/guard_buffer.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::simd {
namespace {

using npk::testing::GuardBuffer;

std::vector<Target> vector_targets() {
  std::vector<Target> targets;
  for (const Target target : npk::testing::tested_targets()) {
    if (target != Target::kScalar) targets.push_back(target);
  }
  return targets;
}

/// NaNs may differ in sign and payload between targets; they are one value to the engine.
uint64_t comparable_bits(double value) {
  return std::isnan(value) ? 0x7ff8'0000'0000'0000 : std::bit_cast<uint64_t>(value);
}

constexpr size_t kItemBytes[kRowTypeCount] = {8, 4, 2, 2, 1, 1};
constexpr const char* kTypeNames[kRowTypeCount] = {"float64",  "float32", "float16",
                                                   "bfloat16", "int8",    "uint8"};

double special(std::mt19937_64& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double values[] = {
      0.0,   -0.0,      1e-45,      3e38,   -3e38,
      1e-30, kInfinity, -kInfinity, 1e-310, 1e300,
      65504, 6e-8,      1.0,        -1.0,   std::numeric_limits<double>::quiet_NaN()};
  return values[random() % std::size(values)];
}

/// Fills with values of every size; one in `special_every` is a special one.
void fill(RowType type, std::byte* to, size_t count, size_t special_every,
          std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  for (size_t i = 0; i < count; ++i) {
    const double value = random() % special_every == 0 ? special(random) : normal(random);
    const auto narrow = static_cast<float>(value);
    const Float16 half(narrow);
    const BFloat16 brain(narrow);
    const auto byte = static_cast<uint8_t>(random());
    const void* from = nullptr;
    switch (type) {
      case RowType::kFloat64:
        from = &value;
        break;
      case RowType::kFloat32:
        from = &narrow;
        break;
      case RowType::kFloat16:
        from = &half;
        break;
      case RowType::kBFloat16:
        from = &brain;
        break;
      case RowType::kInt8:
      case RowType::kUint8:
        from = &byte;
        break;
    }
    const size_t bytes = kItemBytes[static_cast<size_t>(type)];
    std::memcpy(to + i * bytes, from, bytes);
  }
}

struct Case {
  RowType type;
  size_t dims;
  size_t count;
};

void expect_same(const Case& c, ScanFn kernel, ScanFn scalar, const void* query,
                 const std::byte* rows, const std::string& what) {
  std::vector<double> want_first(c.count + 1, -7);
  std::vector<double> want_second = want_first;
  RowBlock block = {rows, c.count, c.dims};
  scalar(query, block, want_first.data(), want_second.data());
  for (const bool in_quarters : {false, true}) {
    std::vector<double> first(c.count + 1, -7);
    std::vector<double> second = first;
    block.in_quarters = in_quarters;
    kernel(query, block, first.data(), second.data());
    for (size_t i = 0; i <= c.count; ++i) {  // One more: nothing is written behind the last.
      ASSERT_EQ(comparable_bits(first[i]), comparable_bits(want_first[i]))
          << what << " dims " << c.dims << " row " << i << " of " << c.count << ": " << first[i]
          << " instead of " << want_first[i] << (in_quarters ? ", in quarters" : "");
      ASSERT_EQ(comparable_bits(second[i]), comparable_bits(want_second[i]))
          << what << " dims " << c.dims << " row " << i << " of " << c.count
          << (in_quarters ? ", in quarters" : "");
    }
  }
}

void check_case(const Case& c, size_t special_every, std::mt19937_64& random) {
  const auto index = static_cast<size_t>(c.type);
  const size_t padded = (c.dims + kVirtualLanes - 1) / kVirtualLanes * kVirtualLanes;
  const GuardBuffer query(padded * sizeof(double));
  std::memset(query.data(), 0, query.size());
  fill(RowType::kFloat64, query.data(), c.dims, special_every, random);
  const GuardBuffer rows(c.count * c.dims * kItemBytes[index]);
  fill(c.type, rows.data(), c.count * c.dims, special_every, random);
  const ScanOps& scalar = scalar_scan_kernels().by_type[index];
  for (const Target target : vector_targets()) {
    const ScanOps& ops = scan_kernels(target).by_type[index];
    const std::string what = std::string(target_name(target)) + " " + kTypeNames[index];
    expect_same(c, ops.dot, scalar.dot, query.data(), rows.data(), what + " dot");
    expect_same(c, ops.dot_norm, scalar.dot_norm, query.data(), rows.data(), what + " dot_norm");
    expect_same(c, ops.l2sq, scalar.l2sq, query.data(), rows.data(), what + " l2sq");
  }
}

TEST(ScanKernels, GiveTheBitsOfTheirScalarTwinForEveryLength) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (size_t type = 0; type < kRowTypeCount; ++type) {
    for (size_t dims = 0; dims <= 70; ++dims) {
      for (const size_t count : {0u, 1u, 2u, 3u, 9u, 17u}) {
        check_case({static_cast<RowType>(type), dims, count}, SIZE_MAX, random);
      }
    }
    for (const size_t dims : {100u, 127u, 128u, 129u, 300u, 768u, 1'000u, 1'537u, 4'099u}) {
      check_case({static_cast<RowType>(type), dims, 11}, SIZE_MAX, random);
    }
  }
}

TEST(ScanKernels, GiveTheBitsOfTheirScalarTwinForSpecialValues) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (size_t type = 0; type < kRowTypeCount; ++type) {
    for (const size_t special_every : {1u, 3u, 50u}) {
      for (const size_t dims : {1u, 7u, 16u, 31u, 64u, 131u}) {
        check_case({static_cast<RowType>(type), dims, 40}, special_every, random);
      }
    }
  }
}

TEST(ScanKernels, ReadRowsAtAnyAlignment) {
  std::mt19937_64 random(npk::testing::test_seed());
  constexpr size_t kDims = 37;
  constexpr size_t kRows = 5;
  std::vector<double> query(48, 0.0);
  fill(RowType::kFloat64, reinterpret_cast<std::byte*>(query.data()), kDims, SIZE_MAX, random);
  for (size_t type = 0; type < kRowTypeCount; ++type) {
    std::vector<std::byte> rows(kDims * kRows * kItemBytes[type]);
    fill(static_cast<RowType>(type), rows.data(), kDims * kRows, SIZE_MAX, random);
    std::array<double, kRows> want;
    scalar_scan_kernels().by_type[type].dot(query.data(), {rows.data(), kRows, kDims}, want.data(),
                                            nullptr);
    for (const Target target : npk::testing::tested_targets()) {
      for (size_t shift = 0; shift < 8; ++shift) {
        std::vector<std::byte> shifted(rows.size() + shift);
        std::memcpy(shifted.data() + shift, rows.data(), rows.size());
        std::array<double, kRows> got;
        scan_kernels(target).by_type[type].dot(query.data(), {shifted.data() + shift, kRows, kDims},
                                               got.data(), nullptr);
        EXPECT_EQ(got, want) << target_name(target) << " " << kTypeNames[type] << " +" << shift;
      }
    }
  }
}

TEST(DivergenceKernels, GiveTheBitsOfTheirScalarTwin) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (size_t type = 0; type < DivergenceKernels::kTypes; ++type) {
    for (const size_t special_every : {SIZE_MAX, size_t{20}, size_t{2}}) {
      for (const size_t dims : {0u, 1u, 3u, 15u, 16u, 17u, 40u, 100u}) {
        const Case c = {static_cast<RowType>(type), dims, 9};
        const GuardBuffer query((dims + 15) / 16 * 16 * sizeof(double));
        std::memset(query.data(), 0, query.size());
        fill(RowType::kFloat64, query.data(), dims, special_every, random);
        const GuardBuffer rows(c.count * dims * kItemBytes[type]);
        fill(c.type, rows.data(), c.count * dims, special_every, random);
        const bool is_positive = random() % 2 == 0;
        for (size_t j = 0; is_positive && j < dims; ++j) {
          auto* values = reinterpret_cast<double*>(query.data());
          values[j] = std::abs(values[j]);
        }
        for (const Target target : vector_targets()) {
          const std::string name(target_name(target));
          expect_same(c, divergence_kernels(target).kl[type], scalar_divergence_kernels().kl[type],
                      query.data(), rows.data(), name + " kl");
          expect_same(c, divergence_kernels(target).js[type], scalar_divergence_kernels().js[type],
                      query.data(), rows.data(), name + " js");
        }
      }
    }
  }
}

// With p = 1 the term is ln((1 + e) / (r + e)).
TEST(DivergenceKernels, LogarithmIsTheLogarithm) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::uniform_real_distribution<double> exponent(-1'000, 1'000);
  const std::vector<double> query = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < 20'000; ++i) {
    const double row = i < 10'000 ? std::exp2(exponent(random)) : 1 + exponent(random) * 1e-4;
    double got = 0;
    scalar_divergence_kernels().kl[0](
        query.data(), {reinterpret_cast<const std::byte*>(&row), 1, 1}, &got, nullptr);
    const double want = std::log((1 + 1e-7) / (row + 1e-7));
    ASSERT_LE(std::abs(got - want), std::abs(want) * 0x1p-52) << row;
  }
}

/// Rows of random bytes, or all of them the largest ones, against a query of int8 or uint8.
void check_integers(size_t dims, size_t count, bool is_signed_query, std::mt19937_64& random) {
  const bool is_most = random() % 4 == 0 || dims > 1'000;
  const std::byte most = random() % 2 == 0 ? std::byte{0x80} : std::byte{0xff};
  const GuardBuffer bytes(dims);
  const GuardBuffer padded((dims + kIntegerPadding - 1) / kIntegerPadding * kIntegerPadding * 2);
  std::memset(padded.data(), 0, padded.size());
  auto* values = reinterpret_cast<int16_t*>(padded.data());
  IntegerQuery query = {values, bytes.data(), is_signed_query, 0, 0};
  for (size_t j = 0; j < dims; ++j) {
    bytes.data()[j] = is_most ? most : static_cast<std::byte>(random());
    const auto byte = static_cast<uint8_t>(bytes.data()[j]);
    values[j] = is_signed_query ? static_cast<int16_t>(static_cast<int8_t>(byte)) : int16_t{byte};
    query.sum += values[j];
    query.norm += int64_t{values[j]} * values[j];
  }
  const GuardBuffer rows(count * dims);
  const std::byte filler = random() % 2 == 0 ? std::byte{0x80} : std::byte{0xff};
  for (size_t i = 0; i < rows.size(); ++i) {
    rows.data()[i] = is_most ? filler : static_cast<std::byte>(random());
  }
  for (const Target target : vector_targets()) {
    const IntegerKernels& kernels = integer_kernels(target);
    const IntegerKernels& scalar = scalar_integer_kernels();
    const std::string name(target_name(target));
    for (const bool is_signed : {true, false}) {
      const ScanOps& ops = is_signed ? kernels.of_int8 : kernels.of_uint8;
      const ScanOps& want = is_signed ? scalar.of_int8 : scalar.of_uint8;
      const Case c = {is_signed ? RowType::kInt8 : RowType::kUint8, dims, count};
      expect_same(c, ops.dot, want.dot, &query, rows.data(), name + " dot");
      expect_same(c, ops.dot_norm, want.dot_norm, &query, rows.data(), name + " norm");
      expect_same(c, ops.l2sq, want.l2sq, &query, rows.data(), name + " l2sq");
    }
  }
}

TEST(IntegerKernels, GiveTheExactSumsForEveryLength) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::vector<size_t> lengths;
  for (size_t dims = 0; dims <= 140; ++dims) lengths.push_back(dims);
  // Long enough for sums in int32 to overflow if they were not emptied in time.
  for (const size_t dims :
       {768u, 1'023u, 8'192u, 16'384u, 32'768u, 65'536u, 65'537u, 70'001u, 200'000u})
    lengths.push_back(dims);
  for (const size_t dims : lengths) {
    for (const size_t count : {0u, 1u, 2u, 7u, 16u, 21u}) {
      if (count > 7 && dims > 16'384) continue;
      for (const bool is_signed_query : {true, false}) {
        check_integers(dims, count, is_signed_query, random);
      }
    }
  }
}

TEST(BitKernels, CountWhatTheirScalarTwinCountsForEveryLength) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::vector<size_t> lengths;
  for (size_t bytes = 0; bytes <= 200; ++bytes) lengths.push_back(bytes);
  // Long enough for counters of bytes to overflow if they were not emptied in time.
  for (const size_t bytes : {256u, 511u, 1'984u, 2'048u, 4'097u, 16'384u}) lengths.push_back(bytes);
  for (const size_t bytes : lengths) {
    for (const size_t count : {1u, 2u, 7u, 8u, 9u, 21u}) {
      const GuardBuffer query(bytes);
      const GuardBuffer rows(bytes * count);
      const bool is_full = random() % 4 == 0;
      for (size_t i = 0; i < bytes; ++i) {
        query.data()[i] = is_full ? std::byte{0} : static_cast<std::byte>(random());
      }
      for (size_t i = 0; i < bytes * count; ++i) {
        rows.data()[i] = is_full ? std::byte{255} : static_cast<std::byte>(random());
      }
      const Case c = {RowType::kUint8, bytes, count};
      for (const Target target : vector_targets()) {
        const std::string name(target_name(target));
        expect_same(c, bit_kernels(target).hamming, scalar_bit_kernels().hamming, query.data(),
                    rows.data(), name + " hamming");
        expect_same(c, bit_kernels(target).jaccard, scalar_bit_kernels().jaccard, query.data(),
                    rows.data(), name + " jaccard");
      }
    }
  }
}

TEST(SelectKernels, GiveTheBitsOfTheirScalarTwin) {
  std::mt19937_64 random(npk::testing::test_seed());
  const SelectKernels& scalar = scalar_select_kernels();
  for (size_t count = 0; count <= 200; ++count) {
    std::vector<double> sums(count);
    std::vector<double> norms(count);
    fill(RowType::kFloat64, reinterpret_cast<std::byte*>(sums.data()), count, 4, random);
    fill(RowType::kFloat64, reinterpret_cast<std::byte*>(norms.data()), count, 4, random);
    for (double& norm : norms) norm = std::abs(norm);
    for (const Target target : vector_targets()) {
      const SelectKernels& select = select_kernels(target);
      const auto expect = [&](auto&& finish, const char* what) {
        std::vector<double> got = sums;
        std::vector<double> want = sums;
        finish(select, got.data());
        finish(scalar, want.data());
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(comparable_bits(got[i]), comparable_bits(want[i]))
              << target_name(target) << " " << what << " " << sums[i] << " " << norms[i];
        }
      };
      for (const double query_norm : {0.0, 1.5, 1e300}) {
        expect([&](const SelectKernels& s,
                   double* x) { s.finish_cosine(x, norms.data(), count, query_norm); },
               "cosine");
      }
      expect([&](const SelectKernels& s, double* x) { s.finish_sqrt(x, count); }, "sqrt");
      expect([&](const SelectKernels& s, double* x) { s.finish_jaccard(x, norms.data(), count); },
             "jaccard");
      for (const double bound : {0.0, -1.0, 0.3, std::numeric_limits<double>::infinity()}) {
        std::vector<uint64_t> got((count + 63) / 64 + 1, 99);
        std::vector<uint64_t> want = got;
        select.above(sums.data(), count, bound, got.data());
        scalar.above(sums.data(), count, bound, want.data());
        ASSERT_EQ(got, want) << target_name(target);
        select.below(sums.data(), count, bound, got.data());
        scalar.below(sums.data(), count, bound, want.data());
        ASSERT_EQ(got, want) << target_name(target);
      }
    }
  }
}

}  // namespace
}  // namespace npk::simd
