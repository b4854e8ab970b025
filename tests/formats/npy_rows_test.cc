// Elements of npy files: every type, order, byte order and version, read and written.
#include <complex>
#include <cstring>
#include <filesystem>
#include <vector>

#include "npk/convert.h"
#include "tests/formats/npy_file.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using testing::npy_data;
using testing::npy_file_bytes;
using testing::TempDir;

std::string bytes_of(const ArrayView& view) {
  std::string bytes(view.size_bytes(), '\0');
  auto* out = reinterpret_cast<std::byte*>(bytes.data());
  if (view.dimensions() == 0) {
    std::memcpy(out, view.data(), bytes.size());
  } else {
    view.copy_rows(0, view.rows(), out);
  }
  return bytes;
}

std::string random_elements(DType dtype, const Shape& shape, std::mt19937_64& random) {
  const uint64_t count = *shape_element_count(shape);
  std::string bytes(count * dtype_item_bytes(dtype), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(dtype == DType::kBool ? random() & 1 : random());
  }
  return bytes;
}

const Shape kShapes[] = {{}, {0}, {1}, {7}, {3, 4}, {0, 4}, {4, 0}, {2, 3, 5}, {3, 1, 2, 1, 2}};

TEST(NpyRows, EveryTypeOrderByteOrderAndVersionReadsTheSameElements) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  std::mt19937_64 random(testing::test_seed());
  for (const DTypeInfo& info : dtype_table()) {
    if (info.dtype == DType::kBFloat16) continue;
    for (const Shape& shape : kShapes) {
      const std::string elements = random_elements(info.dtype, shape, random);
      for (int variant = 0; variant < 12; ++variant) {
        const bool fortran = variant % 2 == 1;
        const bool big_endian = variant / 2 % 2 == 1;
        const int version = 1 + variant / 4;
        const std::string dictionary = std::string("{'descr': '") + (big_endian ? '>' : '<') +
                                       testing::npy_code(info.dtype) +
                                       "', 'fortran_order': " + (fortran ? "True" : "False") +
                                       ", 'shape': " + shape_to_string(shape) + ", }";
        testing::write_file(
            path, npy_file_bytes(version, dictionary,
                                 npy_data(elements, info.dtype, shape, fortran, big_endian)));
        SCOPED_TRACE(dictionary);
        NPK_ASSERT_OK_AND_ASSIGN(const Array array, read_npy(path));
        EXPECT_EQ(array.dtype(), info.dtype);
        EXPECT_EQ(array.shape(), shape);
        EXPECT_EQ(bytes_of(array), elements);
        NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(path));
        EXPECT_EQ(view.shape(), shape);
        EXPECT_EQ(bytes_of(view), elements);
        NPK_ASSERT_OK_AND_ASSIGN(const FileInfo file, inspect_file(path));
        EXPECT_EQ(file.dtype, info.dtype);
        EXPECT_EQ(file.shape, shape);
      }
    }
  }
}

TEST(NpyRows, WhatIsWrittenIsReadBackForEveryType) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  std::mt19937_64 random(testing::test_seed());
  for (const DTypeInfo& info : dtype_table()) {
    if (info.dtype == DType::kBFloat16) continue;
    for (const Shape& shape : kShapes) {
      const std::string elements = random_elements(info.dtype, shape, random);
      NPK_ASSERT_OK(write_npy(path, ArrayView::raw(elements.data(), info.dtype, shape), true));
      NPK_ASSERT_OK_AND_ASSIGN(const Array array, read_npy(path));
      EXPECT_EQ(array.dtype(), info.dtype);
      EXPECT_EQ(array.shape(), shape);
      EXPECT_EQ(bytes_of(array), elements);
    }
  }
}

TEST(NpyRows, AViewInFortranOrderIsWrittenInFortranOrder) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const std::vector<int32_t> values = {1, 2, 3, 4, 5, 6};
  NPK_ASSERT_OK(write_npy(path, ArrayView::strided(values.data(), DType::kInt32, {2, 3}, {4, 8})));
  const std::string data(reinterpret_cast<const char*>(values.data()), 24);
  EXPECT_THAT(testing::read_file(path), ::testing::HasSubstr("'fortran_order': True"));
  EXPECT_THAT(testing::read_file(path), ::testing::EndsWith(data));
  NPK_ASSERT_OK_AND_ASSIGN(const Array array, read_npy(path));
  EXPECT_THAT(array.as<int32_t>(), ::testing::ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST(NpyRows, AnyOtherStridesAreWrittenInCOrder) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const std::vector<int32_t> values = {1, 2, 3, 4, 5, 6};
  NPK_ASSERT_OK(
      write_npy(path, ArrayView::strided(values.data() + 5, DType::kInt32, {3, 2}, {-8, -4})));
  EXPECT_THAT(testing::read_file(path), ::testing::HasSubstr("'fortran_order': False"));
  NPK_ASSERT_OK_AND_ASSIGN(const Array array, read_npy(path));
  EXPECT_THAT(array.as<int32_t>(), ::testing::ElementsAre(6, 5, 4, 3, 2, 1));
}

TEST(NpyRows, ElementsThatLieAtAnOddByteAreReadAsACopy) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const double value = 0.1;
  std::string data(sizeof(value), '\0');
  std::memcpy(data.data(), &value, sizeof(value));
  // 75 bytes before the data.
  testing::write_file(path,
                      testing::npy_header_bytes(
                          1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }       \n") +
                          data);
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(path));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data()) % alignof(double), 0u);
  EXPECT_EQ(view.as<double>()[0], 0.1);
}

TEST(NpyRows, AViewOfAFileOutlivesItsName) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const std::vector<float> values = {1.5f, 2.5f};
  NPK_ASSERT_OK(write_npy(path, ArrayView::of(values, {2})));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(path));
  std::filesystem::remove(path);
  EXPECT_EQ(view.as<float>()[1], 2.5f);
}

TEST(WriteNpy, LeavesWhatIsThereUnlessAskedToOverwrite) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const std::vector<float> values = {1.5f, 2.5f};
  testing::write_file(path, "precious");
  NPK_EXPECT_ERROR(write_npy(path, ArrayView::of(values, {2})), kAlreadyExists, "a.npy");
  EXPECT_EQ(testing::read_file(path), "precious");
  NPK_EXPECT_OK(write_npy(path, ArrayView::of(values, {2}), true));
  EXPECT_EQ(read_npy(path)->rows(), 2u);
}

TEST(WriteNpy, LeavesNoFileBehindAfterAnError) {
  const TempDir directory;
  const std::vector<uint16_t> values = {1, 2};
  NPK_EXPECT_ERROR(
      write_npy(directory.file("a.npy"), ArrayView::raw(values.data(), DType::kBFloat16, {2})),
      kUnsupported, "bfloat16");
  NPK_EXPECT_ERROR(write_npy(directory.file("a.npy"), ArrayView::of(values, {3})), kInvalidArgument,
                   "needs 6 bytes");
  NPK_EXPECT_ERROR(write_npy(directory.file("no/such/a.npy"), ArrayView::of(values, {2})),
                   kNotFound, "cannot write next to");
  std::filesystem::create_directory(directory.file("folder.npy"));
  NPK_EXPECT_ERROR(write_npy(directory.file("folder.npy"), ArrayView::of(values, {2}), true),
                   kFailedPrecondition, "a directory of that name");
  size_t names = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    ++names;
  }
  EXPECT_EQ(names, 1u);
}

}  // namespace
}  // namespace npk
