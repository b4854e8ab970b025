// Most rows of 8, 16 and 32 bits are rejected in float32 first; no answer may show it.
#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "simd/scan.h"
#include "simd/target.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk {
namespace {

using npk::testing::Content;
using npk::testing::difference;
using npk::testing::kAllContents;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::reference_top_k;

constexpr DType kFilteredTypes[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16,
                                    DType::kInt8, DType::kUint8};
constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq};

void expect_everywhere(const ArrayView& base, const ArrayView& query, const SearchOptions& options,
                       const TopK& want) {
  const simd::Target before = simd::target();
  for (const simd::Target target : npk::testing::tested_targets()) {
    simd::set_target(target);
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(base, query, options));
    EXPECT_EQ(difference(got, want), "")
        << internal::concat(dtype_name(base.dtype()), " ", metric_info(options.metric).name, " k ",
                            options.k, " dims ", base.shape()[1], " ", simd_target());
  }
  simd::set_target(before);
}

TEST(RowFilter, LeavesTheAnswerOfFloat64WhateverTheRowsHold) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const DType dtype : kFilteredTypes) {
    for (const DType query_type : {dtype, DType::kFloat32, DType::kFloat64}) {
      for (const Content content : kAllContents) {
        const uint64_t dims = 1 + random() % 80;
        const Array base = random_rows(dtype, 1'500, dims, content, random);
        const Array query = random_query(query_type, dims, content, random);
        for (const Metric metric : kMetrics) {
          const uint64_t k = 1 + random() % 30;
          const TopK want = reference_top_k(base, query, metric, k);
          expect_everywhere(base, query, {.metric = metric, .k = k, .threads = 1}, want);
        }
      }
    }
  }
}

// A threshold is a bound from the first row on.
TEST(RowFilter, LeavesTheAnswerWhereAThresholdIsGiven) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const DType dtype : kFilteredTypes) {
    for (const Content content : {Content::kNormal, Content::kNearTies, Content::kDuplicates}) {
      const Array base = random_rows(dtype, 1'000, 40, content, random);
      const Array query = random_query(DType::kFloat32, 40, content, random);
      for (const Metric metric : kMetrics) {
        TopK want = reference_top_k(base, query, metric, 1'000);
        const size_t last = random() % 50;
        const double threshold = want.scores[last];
        size_t kept = last + 1;
        while (kept < want.scores.size() && want.scores[kept] == threshold) ++kept;
        want.scores.resize(kept);
        want.rows.resize(kept);
        SearchOptions options = {.metric = metric, .k = 1'000, .threads = 1};
        (metric_info(metric).larger_is_better ? options.min_score : options.max_distance) =
            threshold;
        expect_everywhere(base, query, options, want);
      }
    }
  }
}

// Integers of either sign with queries of either, scored and filtered without a float.
TEST(RowFilter, LeavesTheAnswerOfIntegersAndOfBits) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const DType dtype : {DType::kInt8, DType::kUint8}) {
    for (const DType query_type : {DType::kInt8, DType::kUint8}) {
      for (const Content content : kAllContents) {
        const uint64_t dims = 1 + random() % 200;
        const Array base = random_rows(dtype, 1'200, dims, content, random);
        const Array query = random_query(query_type, dims, content, random);
        const bool are_bits = dtype == DType::kUint8 && query_type == DType::kUint8;
        for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kL2Sq, Metric::kDot,
                                    Metric::kJaccard, Metric::kHamming}) {
          const bool is_of_bits = metric == Metric::kJaccard || metric == Metric::kHamming;
          if (is_of_bits && !are_bits) continue;
          const uint64_t k = 1 + random() % 30;
          const TopK want = reference_top_k(base, query, metric, k);
          expect_everywhere(base, query, {.metric = metric, .k = k, .threads = 1}, want);
        }
      }
    }
  }
}

// Filters may take -128 for -127: rows and queries that hold many, or nothing else, near ones and
// opposite ones, whose best scores are negative.
TEST(RowFilter, LeavesTheAnswerOfTheLeastInt8) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const uint64_t dims : {1u, 3u, 40u, 200u}) {
    for (const uint64_t rare : {1u, 2u, 8u}) {
      for (const bool is_opposite : {false, true}) {
        Array base = random_rows(DType::kInt8, 1'200, dims, Content::kNormal, random);
        for (int8_t& element : base.mutable_as<int8_t>()) {
          const bool is_least = random() % rare == 0;
          const auto near = static_cast<int8_t>(-127 + static_cast<int>(random() % 3));
          element = is_least ? int8_t{-128} : near;
        }
        Array query = random_query(DType::kInt8, dims, Content::kNormal, random);
        for (int8_t& element : query.mutable_as<int8_t>()) {
          const auto magnitude = static_cast<int>(random() % 3) + 126;
          element = static_cast<int8_t>(is_opposite ? std::min(magnitude, 127) : -magnitude);
        }
        for (const Metric metric : kMetrics) {
          const uint64_t k = 1 + random() % 30;
          const TopK want = reference_top_k(base, query, metric, k);
          expect_everywhere(base, query, {.metric = metric, .k = k, .threads = 1}, want);
        }
      }
    }
  }
}

// Sums beyond 2^24, of which float32 holds every other or fourth, close together, and distances of
// 0: a threshold at, just above and below a score.
TEST(RowFilter, LeavesScoresOfIntegersAroundAThreshold) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const DType dtype : {DType::kInt8, DType::kUint8}) {
    for (const uint64_t dims : {40u, 2'000u}) {
      Array base = random_rows(dtype, 1'000, dims, Content::kNormal, random);
      const std::span<std::byte> bytes(base.mutable_data(), 1'000 * dims);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(120 + random() % 3);
      const ArrayView query = base.view().slice_rows(7, 8);
      for (const Metric metric : {Metric::kDot, Metric::kL2, Metric::kL2Sq}) {
        const bool is_larger = metric_info(metric).larger_is_better;
        const TopK all = reference_top_k(base, query, metric, 1'000);
        for (const size_t last : {0u, 3u, 40u, 700u}) {
          for (const double toward : {-1.0, all.scores[last], 1e12}) {
            const double threshold = std::nextafter(all.scores[last], toward);
            TopK want = all;
            const auto is_kept = [&](double score) {
              return is_larger ? score >= threshold : score <= threshold;
            };
            const auto kept = static_cast<size_t>(std::ranges::count_if(all.scores, is_kept));
            want.scores.resize(kept);
            want.rows.resize(kept);
            SearchOptions options = {.metric = metric, .k = 1'000, .threads = 1};
            (is_larger ? options.min_score : options.max_distance) = threshold;
            expect_everywhere(base, query, options, want);
          }
        }
      }
    }
  }
}

// Sets of few bits and of many, some without any; a threshold at, just above and below a distance.
TEST(RowFilter, LeavesTheDistancesOfSetsOfBits) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const uint64_t dims : {1u, 8u, 65u, 128u}) {
    for (const uint64_t density : {1u, 30u, 128u, 255u}) {
      Array base = random_rows(DType::kUint8, 1'000, dims, Content::kNormal, random);
      for (uint8_t& byte : base.mutable_as<uint8_t>()) {
        byte = 0;
        for (int bit = 0; bit < 8; ++bit) {
          if (random() % 256 < density) byte = static_cast<uint8_t>(byte | 1 << bit);
        }
      }
      const ArrayView query = base.view().slice_rows(7, 8);
      for (const Metric metric : {Metric::kJaccard, Metric::kHamming}) {
        const TopK all = reference_top_k(base, query, metric, 1'000);
        for (const size_t last : {0u, 3u, 40u, 700u}) {
          for (const double toward : {-1.0, all.scores[last], 1e9}) {
            const double distance = std::nextafter(all.scores[last], toward);
            const auto kept = std::upper_bound(all.scores.begin(), all.scores.end(), distance);
            TopK want = all;
            want.scores.resize(static_cast<size_t>(kept - all.scores.begin()));
            want.rows.resize(want.scores.size());
            SearchOptions options = {.metric = metric, .k = 1'000, .threads = 1};
            options.max_distance = distance;
            expect_everywhere(base, query, options, want);
          }
        }
      }
    }
  }
}

// Of more dimensions than 32 bits hold sums of, and of as many.
TEST(RowFilter, IsLeftOutForSumsBeyond32Bits) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const uint64_t dims : {simd::kMostInt32Dims, simd::kMostInt32Dims + 1}) {
    Array base = random_rows(DType::kUint8, 300, dims, Content::kNormal, random);
    for (uint8_t& byte : base.mutable_as<uint8_t>()) byte |= 0xe0;
    Array query = *Array::uninitialized(DType::kUint8, {dims});
    for (uint8_t& byte : query.mutable_as<uint8_t>()) byte = 255;
    for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kJaccard}) {
      const TopK want = reference_top_k(base, query, metric, 3);
      expect_everywhere(base, query, {.metric = metric, .k = 3, .threads = 1}, want);
    }
  }
}

// Rows that the norm of the query makes float32 useless for are scored without it.
TEST(RowFilter, IsLeftOutForNormsBeyondFloat32) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kBFloat16, 1'000, 20, Content::kExtreme, random);
  for (const double scale : {1e-40, 1e-16, 1e19, 1e150}) {
    Array query = random_query(DType::kFloat64, 20, Content::kNormal, random);
    for (double& value : query.mutable_as<double>()) value *= scale;
    for (const Metric metric : kMetrics) {
      const TopK want = reference_top_k(base, query, metric, 10);
      expect_everywhere(base, query, {.metric = metric, .k = 10, .threads = 1}, want);
    }
  }
}

// SSE4's conversion of subnormal halves went through subnormal floats, which filters take for zero.
TEST(RowFilter, SubnormalHalvesCount) {
  std::mt19937_64 random(npk::testing::test_seed());
  const simd::Target before = simd::target();
  std::vector<Float16> elements(40 * 15);  // Subnormal ones and the next larger.
  for (Float16& element : elements) {
    element = Float16::from_bits(static_cast<uint16_t>(random() % 0x900 | (random() & 0x8000)));
  }
  const auto base = ArrayView::of(elements, {40, 15});
  const auto query = base.slice_rows(3, 4);
  for (const Metric metric : {Metric::kL2Sq, Metric::kL2, Metric::kDot, Metric::kCosine}) {
    const TopK want = npk::testing::reference_top_k(base, query, metric, 40);
    for (const simd::Target target : npk::testing::tested_targets()) {
      simd::set_target(target);
      for (const uint64_t k : {1u, 10u, 39u}) {
        SearchOptions options = {.metric = metric, .k = 40};
        const bool larger = metric_info(metric).larger_is_better;
        (larger ? options.min_score : options.max_distance) = want.scores[k];
        NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(base, query, options));
        ASSERT_GE(got.rows.size(), k + 1) << simd_target() << " " << metric_info(metric).name;
      }
    }
  }
  simd::set_target(before);
}

}  // namespace
}  // namespace npk
