#include "tests/support/search_reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "npk/internal/text.h"
#include "tests/support/child_process.h"

namespace npk::testing {
namespace {

template <typename T>
double wide(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(value);
  } else {
    return static_cast<double>(static_cast<float>(value));
  }
}

template <typename T>
T narrow(double value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(value);
  } else {
    return T(static_cast<float>(value));
  }
}

template <typename F>
auto with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat64:
      return f(double{});
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat16:
      return f(Float16{});
    case DType::kBFloat16:
      return f(BFloat16{});
    case DType::kInt8:
      return f(int8_t{});
    case DType::kUint8:
      return f(uint8_t{});
    case DType::kInt16:
      return f(int16_t{});
    case DType::kInt32:
      return f(int32_t{});
    case DType::kInt64:
      return f(int64_t{});
    case DType::kUint16:
      return f(uint16_t{});
    case DType::kUint32:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

/// Sixteen sums, element j in sum j % 16; then halves onto halves.
template <typename Term>
double lane_sum(size_t count, Term&& term) {
  double lane[16] = {};
  for (size_t j = 0; j < count; ++j) lane[j % 16] += term(j);
  double eight[8];
  for (int i = 0; i < 8; ++i) eight[i] = lane[i] + lane[i + 8];
  double four[4];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

double bit_count(std::span<const double> a, std::span<const double> b, char op) {
  int count = 0;
  for (size_t j = 0; j < a.size(); ++j) {
    const auto x = static_cast<unsigned>(a[j]);
    const auto y = static_cast<unsigned>(b[j]);
    count += std::popcount(op == '^' ? x ^ y : op == '&' ? x & y : x | y);
  }
  return count;
}

double cosine(std::span<const double> a, std::span<const double> b) {
  const double dot = lane_sum(a.size(), [&](size_t j) { return a[j] * b[j]; });
  const double norm_a = std::sqrt(lane_sum(a.size(), [&](size_t j) { return a[j] * a[j]; }));
  const double norm_b = std::sqrt(lane_sum(b.size(), [&](size_t j) { return b[j] * b[j]; }));
  if (norm_a == 0 || norm_b == 0) return 0;
  const double value = dot / (norm_a * norm_b);
  return std::isnan(value) ? value : std::min(1.0, std::max(-1.0, value));
}

/// ln as docs/simd.md defines it. DivergenceKernels.LogarithmIsTheLogarithm compares it with libm.
double defined_log(double x) {
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (std::isnan(x) || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // [1/2, 1)
  if (m < 0.70710678118654757) {        // The double next to sqrt(1/2), 0x3fe6a09e667f3bcd.
    m *= 2;
    --exponent;
  }
  const double k = exponent;
  const double f = m - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  const double w = z * z;
  const double c[8] = {0,
                       6.666666666666735130e-01,
                       3.999999999940941908e-01,
                       2.857142874366239149e-01,
                       2.222219843214978396e-01,
                       1.818357216161805012e-01,
                       1.531383769920937332e-01,
                       1.479819860511658591e-01};
  const double r =
      w * (c[2] + w * (c[4] + w * c[6])) + z * (c[1] + w * (c[3] + w * (c[5] + w * c[7])));
  const double h = 0.5 * f * f;
  return k * 6.93147180369123816490e-01 -
         ((h - (s * (h + r) + k * 1.90821492927058770002e-10)) - f);
}

double entropy(double a, double b) { return a * defined_log((a + 1e-7) / (b + 1e-7)); }

double extreme(std::mt19937_64& random, double largest, double smallest) {
  std::uniform_real_distribution<double> exponent(std::log2(smallest), std::log2(largest));
  return std::ldexp(random() % 2 == 0 ? 1.0 : -1.0, 0) * std::exp2(exponent(random));
}

template <typename T>
double largest_of() {
  if constexpr (std::is_same_v<T, double>) return 1e150;  // Squares and their sums stay finite.
  if constexpr (std::is_same_v<T, Float16>) return 65'000;
  return 3e38;
}

template <typename T>
T random_element(Content content, std::mt19937_64& random) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(content == Content::kDuplicates ? random() % 3 : random());
  } else {
    std::normal_distribution<double> normal;
    const double value = normal(random);
    switch (content) {
      case Content::kDuplicates:
        return narrow<T>(static_cast<double>(random() % 3) - 1);
      case Content::kExtreme:
        return narrow<T>(extreme(random, largest_of<T>(), 1 / largest_of<T>() / 256));
      case Content::kSpecial: {
        const double infinity = std::numeric_limits<double>::infinity();
        const double values[] = {
            0.0, -0.0, 1e-45, -6e-8, infinity, -infinity, std::numeric_limits<double>::quiet_NaN()};
        // Mostly finite rows, so that all three kinds of score occur.
        return narrow<T>(random() % 64 == 0 ? values[random() % std::size(values)] : value);
      }
      case Content::kDistribution:
        return narrow<T>(random() % 5 == 0 ? 0.0 : std::abs(value) / 64);
      case Content::kNormal:
      case Content::kNearTies:
        return narrow<T>(value);
    }
    return narrow<T>(value);
  }
}

template <typename T>
void fill_rows(T* to, uint64_t rows, uint64_t dims, Content content, std::mt19937_64& random) {
  const uint64_t scale = content == Content::kExtreme ? random() % 60 : 0;
  for (uint64_t i = 0; i < rows * dims; ++i) to[i] = random_element<T>(content, random);
  if constexpr (!std::is_integral_v<T>) {
    for (uint64_t i = 0; i < rows && content == Content::kExtreme; ++i) {
      // Each row around its own size, else the largest elements decide everything.
      for (uint64_t j = 0; j < dims && i % 2 == 0; ++j) {
        to[i * dims + j] = narrow<T>(std::ldexp(wide(random_element<T>(Content::kNormal, random)),
                                                static_cast<int>(scale) - 30));
      }
    }
  }
  if (rows == 0 || dims == 0) return;
  for (uint64_t i = 1; i < rows; ++i) {
    if (content == Content::kDuplicates && random() % 2 == 0) {
      std::memcpy(to + i * dims, to + (random() % i) * dims, dims * sizeof(T));
    }
    if (content == Content::kNearTies && random() % 8 != 0) {
      std::memcpy(to + i * dims, to, dims * sizeof(T));
      auto* bytes = reinterpret_cast<unsigned char*>(to + i * dims + random() % dims);
      if (random() % 3 != 0) bytes[0] = static_cast<unsigned char>(bytes[0] ^ 1u);
    }
  }
}

}  // namespace

std::vector<double> as_float64(const ArrayView& view) {
  Result<Array> copy = Array::copy_of(view);
  std::vector<double> values(copy->element_count());
  with_type(view.dtype(), [&]<typename T>(T) {
    for (size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, copy->data() + i * sizeof(T), sizeof(T));
      values[i] = wide(value);
    }
  });
  return values;
}

double reference_score(Metric metric, std::span<const double> row, std::span<const double> query) {
  const auto squared = [&](size_t j) { return (row[j] - query[j]) * (row[j] - query[j]); };
  switch (metric) {
    case Metric::kCosine:
      return cosine(row, query);
    case Metric::kDot:
      return lane_sum(row.size(), [&](size_t j) { return row[j] * query[j]; });
    case Metric::kL2:
      return std::sqrt(lane_sum(row.size(), squared));
    case Metric::kL2Sq:
      return lane_sum(row.size(), squared);
    case Metric::kHamming:
      return bit_count(row, query, '^');
    case Metric::kJaccard: {
      const double all = bit_count(row, query, '|');
      return all == 0 ? 0 : 1 - bit_count(row, query, '&') / all;
    }
    case Metric::kKl:
      return lane_sum(row.size(), [&](size_t j) { return entropy(query[j], row[j]); });
    case Metric::kJs: {
      const double sum = lane_sum(row.size(), [&](size_t j) {
        const double middle = (query[j] + row[j]) * 0.5;
        return entropy(query[j], middle) + entropy(row[j], middle);
      });
      return sum < 0 ? 0 : std::sqrt(0.5 * sum);
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

TopK reference_top_k(const ArrayView& base, const ArrayView& query, Metric metric, uint64_t k,
                     const std::vector<bool>& is_selected) {
  const std::vector<double> rows = as_float64(base);
  const std::vector<double> wanted = as_float64(query);
  const uint64_t dims = wanted.size();
  TopK all;
  for (uint64_t i = 0; i < base.rows(); ++i) {
    if (!is_selected.empty() && !is_selected[i]) continue;
    all.rows.push_back(all.rows.size());
    all.scores.push_back(reference_score(metric, {rows.data() + i * dims, dims}, wanted));
  }
  std::vector<size_t> order(all.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const bool larger = metric_info(metric).larger_is_better;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double x = all.scores[a];
    const double y = all.scores[b];
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return larger ? x > y : x < y;
  });
  TopK best;
  for (size_t i = 0; i < std::min<size_t>(k, order.size()); ++i) {
    best.rows.push_back(all.rows[order[i]]);
    best.scores.push_back(all.scores[order[i]]);
  }
  return best;
}

std::string difference(const TopK& got, const TopK& want) {
  using internal::concat;
  if (got.rows.size() != want.rows.size() || got.scores.size() != got.rows.size()) {
    return concat(got.rows.size(), " rows instead of ", want.rows.size());
  }
  for (size_t i = 0; i < got.rows.size(); ++i) {
    const bool both_nan = std::isnan(got.scores[i]) && std::isnan(want.scores[i]);
    if (got.rows[i] != want.rows[i] || (!both_nan && std::bit_cast<uint64_t>(got.scores[i]) !=
                                                         std::bit_cast<uint64_t>(want.scores[i]))) {
      char text[160];
      std::snprintf(text, sizeof(text), "place %zu: row %llu score %a instead of row %llu score %a",
                    i, static_cast<unsigned long long>(got.rows[i]), got.scores[i],
                    static_cast<unsigned long long>(want.rows[i]), want.scores[i]);
      return text;
    }
  }
  return "";
}

Array random_rows(DType dtype, uint64_t rows, uint64_t dims, Content content,
                  std::mt19937_64& random) {
  Array array = *Array::uninitialized(dtype, {rows, dims});
  with_type(dtype, [&]<typename T>(T) {
    fill_rows(reinterpret_cast<T*>(array.mutable_data()), rows, dims, content, random);
  });
  return array;
}

Array random_query(DType dtype, uint64_t dims, Content content, std::mt19937_64& random) {
  const Content finite = content == Content::kSpecial ? Content::kNormal : content;
  Array row = random_rows(dtype, 1, dims, finite, random);
  with_type(dtype, [&]<typename T>(T) {
    auto* elements = reinterpret_cast<T*>(row.mutable_data());
    for (uint64_t j = 0; j < dims; ++j) {
      if (!std::isfinite(wide(elements[j]))) elements[j] = narrow<T>(1);
    }
  });
  return *Array::copy_of(ArrayView::raw(row.data(), dtype, {dims}));
}

uint64_t part_of(uint64_t all) {
  return std::max<uint64_t>(1, all * env_number("NPK_SEARCH_PERCENT", 100) / 100);
}

}  // namespace npk::testing
