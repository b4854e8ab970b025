#include "npk/array.h"

#include <cstring>
#include <numeric>

#include "tests/support/support.h"

// Refusing what memory cannot hold is under test: the sanitizers must let malloc say no.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace npk {
namespace {

constexpr uint64_t kHuge = uint64_t{1} << 40;

std::vector<int32_t> iota(size_t count) {
  std::vector<int32_t> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

std::vector<int32_t> copied(const ArrayView& view) {
  auto array = Array::copy_of(view);
  EXPECT_TRUE(array.is_ok()) << array.status().to_string();
  if (!array.is_ok()) return {};
  const auto elements = array->as<int32_t>();
  return {elements.begin(), elements.end()};
}

TEST(ShapeElementCount, MultipliesTheExtents) {
  const auto count = [](Shape shape) { return *shape_element_count(shape); };
  EXPECT_EQ(count({}), 1u);
  EXPECT_EQ(count({0}), 0u);
  EXPECT_EQ(count({7}), 7u);
  EXPECT_EQ(count({2, 3, 4}), 24u);
  EXPECT_EQ(count({5, 0, 3}), 0u);
  EXPECT_EQ(count(Shape(32, 1)), 1u);
}

TEST(ShapeElementCount, RefusesWhatCannotBeAddressed) {
  NPK_EXPECT_ERROR(shape_element_count(Shape{kHuge, kHuge}), kInvalidArgument, "1099511627776");
  NPK_EXPECT_ERROR(shape_element_count(Shape{UINT64_MAX}), kInvalidArgument, "more elements");
  NPK_EXPECT_ERROR(shape_element_count(Shape{UINT64_MAX, 2}), kInvalidArgument, "more elements");
  // 2^32 * 2^32 wraps to 0, 2^33 * 2^33 * 2^62 … to small numbers.
  NPK_EXPECT_ERROR(shape_element_count(Shape{1ull << 32, 1ull << 32}), kInvalidArgument, "more");
  NPK_EXPECT_ERROR(shape_element_count(Shape(32, 1ull << 8)), kInvalidArgument, "more elements");
}

TEST(ShapeElementCount, AZeroExtentDoesNotHideAnOverflow) {
  NPK_EXPECT_ERROR(shape_element_count(Shape{0, kHuge, kHuge}), kInvalidArgument, "more");
  NPK_EXPECT_ERROR(shape_element_count(Shape{kHuge, kHuge, 0}), kInvalidArgument, "more");
}

TEST(ShapeElementCount, RefusesMoreThan32Axes) {
  NPK_EXPECT_ERROR(shape_element_count(Shape(33, 1)), kInvalidArgument, "at most 32");
}

TEST(ShapeToString, IsWrittenAsNumPyWritesIt) {
  EXPECT_EQ(shape_to_string(Shape{}), "()");
  EXPECT_EQ(shape_to_string(Shape{3}), "(3,)");
  EXPECT_EQ(shape_to_string(Shape{1000, 128}), "(1000, 128)");
}

TEST(ArrayView, DefaultIsAnEmptyFloat32Vector) {
  const ArrayView view;
  EXPECT_EQ(view.dtype(), DType::kFloat32);
  EXPECT_EQ(view.shape(), Shape{0});
  EXPECT_EQ(view.size_bytes(), 0u);
  NPK_EXPECT_OK(view.check());
}

TEST(ArrayView, OfAContainerKnowsTypeRowsAndBytes) {
  const std::vector<int32_t> data = iota(12);
  const ArrayView view = ArrayView::of(data, {3, 4});
  NPK_EXPECT_OK(view.check());
  EXPECT_EQ(view.dtype(), DType::kInt32);
  EXPECT_EQ(view.rows(), 3u);
  EXPECT_EQ(view.row_bytes(), 16u);
  EXPECT_EQ(view.size_bytes(), 48u);
  EXPECT_EQ(view.strides_bytes(), (StridesBytes{16, 4}));
  EXPECT_TRUE(view.is_contiguous());
  EXPECT_EQ(view.as<int32_t>().size(), 12u);
  EXPECT_TRUE(view.as<float>().empty()) << "another element type must give nothing";
}

TEST(ArrayView, TakesSpansArraysAndPointers) {
  const std::array<double, 4> fixed = {1, 2, 3, 4};
  EXPECT_EQ(ArrayView::of(fixed, {4}).dtype(), DType::kFloat64);
  std::vector<uint8_t> bytes(6);
  EXPECT_EQ(ArrayView::of(std::span<uint8_t>(bytes), {2, 3}).dtype(), DType::kUint8);
  const std::complex<float> one = {1, 2};
  EXPECT_EQ(ArrayView::of(&one, {}).row_bytes(), 8u);
}

TEST(ArrayView, RefusesAShapeThatNeedsMoreThanTheDataHas) {
  const std::vector<float> data(11);
  const ArrayView view = ArrayView::of(data, {3, 4});
  NPK_EXPECT_ERROR(view.check(), kInvalidArgument, "needs 48 bytes, but the data given has 44");
  NPK_EXPECT_ERROR(Array::copy_of(view), kInvalidArgument, "needs 48 bytes");
  NPK_EXPECT_OK(ArrayView::of(data, {11}).check());
  NPK_EXPECT_OK(ArrayView::of(data, {5, 2}).check());  // More data than needed is no error.
}

TEST(ArrayView, RowsOfATooShortViewStayRefused) {
  const std::vector<float> data(11);
  NPK_EXPECT_ERROR(ArrayView::of(data, {3, 4}).slice_rows(1, 3).check(), kInvalidArgument, "needs");
  NPK_EXPECT_OK(ArrayView::of(data, {3, 4}).slice_rows(0, 2).check());
}

TEST(ArrayView, RefusesNullUnlessEmpty) {
  NPK_EXPECT_ERROR(ArrayView::raw(nullptr, DType::kFloat32, {1}).check(), kInvalidArgument, "null");
  NPK_EXPECT_ERROR(ArrayView::raw(nullptr, DType::kFloat32, {}).check(), kInvalidArgument, "null");
  NPK_EXPECT_OK(ArrayView::raw(nullptr, DType::kFloat32, {0, 8}).check());
}

TEST(ArrayView, RefusesOverflowAndTooManyAxes) {
  const float one = 1;
  NPK_EXPECT_ERROR(ArrayView::of(&one, {kHuge, kHuge}).check(), kInvalidArgument, "addressed");
  NPK_EXPECT_ERROR(ArrayView::of(&one, Shape(33, 1)).check(), kInvalidArgument, "33 dimensions");
}

TEST(ArrayView, RefusesStridesThatDoNotFitTheShape) {
  const std::vector<int32_t> data = iota(12);
  const auto with = [&](Shape shape, StridesBytes strides) {
    return ArrayView::strided(data.data(), DType::kInt32, std::move(shape), std::move(strides));
  };
  NPK_EXPECT_ERROR(with({3, 4}, {16}).check(), kInvalidArgument, "strides");
  NPK_EXPECT_ERROR(with({3, 4}, {16, 4, 4}).check(), kInvalidArgument, "strides");
  NPK_EXPECT_ERROR(with({3, 4}, {}).check(), kInvalidArgument, "strides");
  NPK_EXPECT_ERROR(with({0, 4}, {16}).check(), kInvalidArgument, "strides");
  NPK_EXPECT_OK(with({}, {}).check());
}

TEST(ArrayView, RecognisesCOrderWhateverTheStridesOfAxesOfOne) {
  const std::vector<int32_t> data = iota(12);
  const auto view = ArrayView::strided(data.data(), DType::kInt32, {1, 3, 1, 4}, {-8, 16, 999, 4});
  NPK_EXPECT_OK(view.check());
  EXPECT_TRUE(view.is_contiguous());
  EXPECT_EQ(view.as<int32_t>().size(), 12u);
}

TEST(ArrayView, CopiesTransposedReversedAndBroadcastInCOrder) {
  const std::vector<int32_t> data = iota(6);
  const auto view = [&](size_t at, Shape shape, StridesBytes strides) {
    return ArrayView::strided(&data[at], DType::kInt32, std::move(shape), std::move(strides));
  };
  EXPECT_EQ(copied(view(0, {3, 2}, {4, 12})), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(copied(view(5, {6}, {-4})), (std::vector<int32_t>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(copied(view(3, {2, 3}, {-12, 4})), (std::vector<int32_t>{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(copied(view(1, {2, 3}, {0, 4})), (std::vector<int32_t>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(copied(view(2, {4}, {0})), (std::vector<int32_t>{2, 2, 2, 2}));
  EXPECT_EQ(copied(view(0, {3}, {8})), (std::vector<int32_t>{0, 2, 4}));
  EXPECT_EQ(copied(view(0, {3, 0}, {77, 5})), std::vector<int32_t>{});
}

TEST(ArrayView, SlicesShareMemoryPinAndStrides) {
  auto owner = std::make_shared<std::vector<int32_t>>(iota(12));
  const auto whole = ArrayView::raw(owner->data(), DType::kInt32, {6, 2}, owner);
  const ArrayView part = whole.slice_rows(2, 5);
  EXPECT_EQ(part.shape(), (Shape{3, 2}));
  EXPECT_EQ(part.data(), whole.data() + 16);
  EXPECT_EQ(part.pin(), whole.pin());
  EXPECT_EQ(copied(part), (std::vector<int32_t>{4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(copied(whole.slice_rows(6, 6)), std::vector<int32_t>{});

  const auto reversed = ArrayView::strided(owner->data() + 10, DType::kInt32, {6, 2}, {-8, 4});
  EXPECT_EQ(copied(reversed.slice_rows(1, 3)), (std::vector<int32_t>{8, 9, 6, 7}));
  EXPECT_EQ(copied(reversed.slice_rows(4, 6).slice_rows(1, 2)), (std::vector<int32_t>{0, 1}));
}

TEST(ArrayView, CopiesARangeOfRows) {
  const std::vector<int32_t> data = iota(8);
  const auto columns = ArrayView::strided(data.data(), DType::kInt32, {4, 2}, {4, 16});
  std::vector<int32_t> out(4, -1);
  columns.copy_rows(1, 3, reinterpret_cast<std::byte*>(out.data()));
  EXPECT_EQ(out, (std::vector<int32_t>{1, 5, 2, 6}));
}

TEST(ArrayView, ThirtyTwoAxesOfAnyStridesCopy) {
  Shape shape(32, 1);
  StridesBytes strides(32, 0);
  const std::vector<int32_t> data = iota(8);
  for (const size_t axis : {3u, 17u, 31u}) shape[axis] = 2;
  strides[3] = 4;
  strides[17] = 8;
  strides[31] = 16;
  EXPECT_EQ(copied(ArrayView::strided(data.data(), DType::kInt32, shape, strides)),
            (std::vector<int32_t>{0, 4, 2, 6, 1, 5, 3, 7}));
}

TEST(Array, CopyOfAViewIsIndependentOfIt) {
  std::vector<int32_t> data = iota(4);
  NPK_ASSERT_OK_AND_ASSIGN(const Array array, Array::copy_of(ArrayView::of(data, {2, 2})));
  data[0] = 99;
  EXPECT_EQ(array.as<int32_t>()[0], 0);
  EXPECT_EQ(array.rows(), 2u);
  EXPECT_EQ(array.row_bytes(), 8u);
  EXPECT_EQ(array.size_bytes(), 16u);
  EXPECT_TRUE(array.as<uint32_t>().empty());
}

TEST(Array, ItsViewOutlivesIt) {
  ArrayView view;
  {
    NPK_ASSERT_OK_AND_ASSIGN(const Array array, Array::copy_of(ArrayView::of(iota(3), {3})));
    view = array;
  }
  EXPECT_EQ(copied(view), (std::vector<int32_t>{0, 1, 2}));
}

TEST(Array, ZerosOfEveryTypeAndShapeAreZero) {
  for (const DTypeInfo& info : dtype_table()) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0, 2}, Shape{5, 3}, Shape(32, 1)}) {
      NPK_ASSERT_OK_AND_ASSIGN(const Array array, Array::zeros(info.dtype, shape));
      EXPECT_EQ(array.size_bytes(), array.element_count() * info.item_bytes);
      for (uint64_t i = 0; i < array.size_bytes(); ++i) ASSERT_EQ(array.data()[i], std::byte{0});
    }
  }
}

TEST(Array, LargeOnesAreAlignedForHugePages) {
  NPK_ASSERT_OK_AND_ASSIGN(const Array array, Array::zeros(DType::kUint8, {(2u << 20) + 1}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(array.data()) % (2u << 20), 0u);
}

TEST(Array, RefusesShapesThatOverflowOrDoNotFitMemory) {
  NPK_EXPECT_ERROR(Array::zeros(DType::kUint8, {kHuge, kHuge}), kInvalidArgument, "addressed");
  NPK_EXPECT_ERROR(Array::uninitialized(DType::kComplex128, {uint64_t{1} << 58}),
                   kResourceExhausted, "no memory");
}

TEST(Array, ZeroDimensionalHoldsOneElement) {
  const double pi = 3.25;
  NPK_ASSERT_OK_AND_ASSIGN(const Array array, Array::copy_of(ArrayView::of(&pi, {})));
  EXPECT_EQ(array.rows(), 1u);
  EXPECT_EQ(array.row_bytes(), 8u);
  EXPECT_EQ(array.as<double>()[0], 3.25);
}

}  // namespace
}  // namespace npk
