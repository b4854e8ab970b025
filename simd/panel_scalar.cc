// The panel kernels in plain C++: simd/panel.h.
#include <cstring>
#include <type_traits>

#include "npk/dtype.h"
#include "simd/panel.h"

namespace npk::simd {
namespace {

constexpr size_t kVectorQueries = 4;

/// Element j of query q is packed[j * element_step + q * query_step].
struct Layout {
  size_t width;
  size_t element_step;
  size_t query_step;
};

void run(const Layout& layout, const PanelRows& rows, const PanelQueries& queries, float* dots,
         uint64_t* passing) {
  for (size_t r = 0; r < rows.count; ++r, dots += layout.width) {
    const float* row = rows.rows + r * rows.dims;
    passing[r] = 0;
    for (size_t q = 0; q < layout.width; ++q) {
      const float* query = queries.packed + q * layout.query_step;
      dots[q] = 0;
      for (size_t j = 0; j < rows.dims; ++j) dots[q] += row[j] * query[j * layout.element_step];
      const float bound =
          queries.slopes[q] * rows.lengths[r] + (queries.bounds[q] + rows.offsets[r]);
      passing[r] |= uint64_t{!(dots[q] < bound)} << q;
    }
  }
}

template <size_t kVectors>
void panel(const PanelRows& rows, const PanelQueries& queries, float* dots, uint64_t* passing) {
  constexpr size_t kWidth = kVectors * kVectorQueries;
  run({kWidth, kWidth, 1}, rows, queries, dots, passing);
}

void quad(const PanelRows& rows, const PanelQueries& queries, float* dots, uint64_t* passing) {
  run({kQuadQueries, 1, rows.dims}, rows, queries, dots, passing);
}

void square_norms(const float* rows, size_t count, size_t dims, float* out) {
  for (size_t i = 0; i < count; ++i) {
    float sum = 0;
    for (size_t j = 0; j < dims; ++j) sum += rows[i * dims + j] * rows[i * dims + j];
    out[i] = sum;
  }
}

template <typename T>
void to_float32(const std::byte* from, size_t count, float* to) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    to[i] = static_cast<float>(value);
  }
}

constexpr PanelKernels kTable = {kVectorQueries,
                                 64,
                                 {panel<1>, panel<2>, panel<3>},
                                 quad,
                                 square_norms,
                                 {to_float32<double>, to_float32<float>, to_float32<Float16>,
                                  to_float32<BFloat16>, to_float32<int8_t>, to_float32<uint8_t>}};

}  // namespace

const PanelKernels& scalar_panel_kernels() noexcept { return kTable; }

}  // namespace npk::simd
