#include "simd/panel.h"

#include <cmath>
#include <limits>
#include <vector>

#include "npk/dtype.h"
#include "tests/support/guard_buffer.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::simd {
namespace {

using npk::testing::GuardBuffer;
using npk::testing::small_integer;

/// A kernel and how it wants element j of query q: packed[j * element_step + q * query_step].
struct Kernel {
  PanelFn run;
  size_t width;
  size_t element_step;
  size_t query_step;
};

std::vector<Kernel> kernels_of(Target target, size_t dims) {
  const PanelKernels& kernels = panel_kernels(target);
  std::vector<Kernel> all = {{kernels.quad, kQuadQueries, 1, dims}};
  for (size_t v = 0; v < kMaxPanelVectors; ++v) {
    const size_t width = (v + 1) * kernels.vector_queries;
    all.push_back({kernels.panel[v], width, width, 1});
  }
  return all;
}

// Small integers: every float32 sum is exact, so passing is known whatever the order.
void check_panel(const Kernel& kernel, size_t dims, size_t count, std::mt19937_64& random) {
  const size_t width = kernel.width;
  const GuardBuffer rows(count * dims * sizeof(float));
  const GuardBuffer packed(width * dims * sizeof(float));
  auto* row = reinterpret_cast<float*>(rows.data());
  auto* query = reinterpret_cast<float*>(packed.data());
  for (size_t i = 0; i < count * dims; ++i) row[i] = small_integer(random);
  for (size_t i = 0; i < width * dims; ++i) query[i] = small_integer(random);
  std::vector<float> lengths(count), offsets(count), slopes(width), bounds(width);
  const float infinity = std::numeric_limits<float>::infinity();
  for (float& x : lengths) x = small_integer(random);
  for (float& x : offsets) x = random() % 8 == 0 ? -infinity : small_integer(random);
  for (float& x : slopes) x = small_integer(random);
  for (float& x : bounds) x = random() % 8 == 0 ? infinity : small_integer(random);
  std::vector<uint64_t> passing(count + 1, 77);
  std::vector<float> dots(count * width + 1, 77);
  // What lies behind the rows may be no memory at all.
  const PanelRows block = {row,
                           count,
                           dims,
                           lengths.data(),
                           offsets.data(),
                           {row + count * dims, count * dims * sizeof(float)}};
  kernel.run(block, {query, slopes.data(), bounds.data()}, dots.data(), passing.data());
  for (size_t r = 0; r < count; ++r) {
    uint64_t want = 0;
    for (size_t q = 0; q < width; ++q) {
      float dot = 0;
      for (size_t j = 0; j < dims; ++j) {
        dot += row[r * dims + j] * query[j * kernel.element_step + q * kernel.query_step];
      }
      ASSERT_EQ(dots[r * width + q], dot) << "row " << r << " of " << count << " dims " << dims;
      const float bound = slopes[q] * lengths[r] + (bounds[q] + offsets[r]);
      want |= uint64_t{!(dot < bound)} << q;
    }
    ASSERT_EQ(passing[r], want) << "row " << r << " of " << count << " dims " << dims;
  }
  ASSERT_EQ(passing[count], 77u);
  ASSERT_EQ(dots[count * width], 77);
}

TEST(PanelKernels, RejectExactlyWhatIsBelowTheBound) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const Target target : npk::testing::tested_targets()) {
    SCOPED_TRACE(target_name(target));
    for (const size_t dims : {1u, 2u, 7u, 15u, 16u, 17u, 31u, 33u, 64u, 130u}) {
      for (const Kernel& kernel : kernels_of(target, dims)) {
        SCOPED_TRACE(kernel.width);
        for (const size_t count : {0u, 1u, 3u, 4u, 7u, 8u, 9u, 31u, 64u}) {
          check_panel(kernel, dims, count, random);
        }
      }
    }
  }
}

TEST(PanelKernels, ANaNPasses) {
  for (const Target target : npk::testing::tested_targets()) {
    for (const size_t dims : {1u, 16u}) {
      for (const Kernel& kernel : kernels_of(target, dims)) {
        std::vector<float> rows(2 * dims, 0.0f);
        rows[0] = std::numeric_limits<float>::quiet_NaN();
        rows[dims] = 1.0f;
        const std::vector<float> ones(kernel.width * dims, 1.0f);
        const std::vector<float> bounds(kernel.width, 5.0f);
        const std::vector<float> zeros(kernel.width, 0.0f);
        std::vector<float> dots(2 * kernel.width);
        uint64_t passing[2] = {};
        kernel.run({rows.data(), 2, dims, zeros.data(), zeros.data(), {}},
                   {ones.data(), zeros.data(), bounds.data()}, dots.data(), passing);
        EXPECT_EQ(passing[0], (uint64_t{1} << kernel.width) - 1) << target_name(target);
        EXPECT_EQ(passing[1], 0u) << target_name(target);
        EXPECT_TRUE(std::isnan(dots[0])) << target_name(target);
      }
    }
  }
}

TEST(PanelKernels, SquareNormsAreWithinTheRoundingOfTheirAdditions) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::normal_distribution<float> normal;
  for (const Target target : npk::testing::tested_targets()) {
    for (size_t dims = 0; dims < 200; ++dims) {
      const GuardBuffer rows(3 * dims * sizeof(float));
      auto* row = reinterpret_cast<float*>(rows.data());
      for (size_t i = 0; i < 3 * dims; ++i) row[i] = normal(random);
      float norms[3];
      panel_kernels(target).square_norms(row, 3, dims, norms);
      for (size_t r = 0; r < 3; ++r) {
        double want = 0;
        for (size_t j = 0; j < dims; ++j)
          want += double{row[r * dims + j]} * double{row[r * dims + j]};
        EXPECT_NEAR(double{norms[r]}, want, static_cast<double>(dims) * 0x1p-24 * want)
            << target_name(target) << " dims " << dims;
      }
    }
  }
}

TEST(PanelKernels, ConvertEveryTypeToFloat32AsItsScalarTwin) {
  std::mt19937_64 random(npk::testing::test_seed());
  constexpr size_t kItemBytes[kRowTypeCount] = {8, 4, 2, 2, 1, 1};
  for (size_t type = 0; type < kRowTypeCount; ++type) {
    for (size_t count = 0; count < 80; ++count) {
      const GuardBuffer from(count * kItemBytes[type]);
      for (size_t i = 0; i < from.size(); ++i) from.data()[i] = static_cast<std::byte>(random());
      std::vector<float> want(count), got(count);
      scalar_panel_kernels().to_float32[type](from.data(), count, want.data());
      for (const Target target : npk::testing::tested_targets()) {
        panel_kernels(target).to_float32[type](from.data(), count, got.data());
        for (size_t i = 0; i < count; ++i) {
          if (std::isnan(want[i])) {
            ASSERT_TRUE(std::isnan(got[i])) << target_name(target);
          } else {
            ASSERT_EQ(got[i], want[i]) << target_name(target) << " type " << type;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace npk::simd
