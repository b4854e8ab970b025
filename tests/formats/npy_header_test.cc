// The header codec of npy files: golden bytes, what is understood, what is refused and where.
#include <algorithm>

#include "formats/npy.h"
#include "formats/npy_types.h"
#include "npk/convert.h"
#include "tests/formats/npy_file.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using testing::npy_file_bytes;
using testing::npy_header_bytes;
using testing::TempDir;

struct GoldenRow {
  DType dtype;
  Shape shape;
  bool is_fortran_order;
  std::string_view dictionary;
  size_t header_bytes;
};

// Written by NumPy 2.4.6. The last three end on a multiple of 64, where NumPy adds another 64.
const GoldenRow kGolden[] = {
    GoldenRow{DType::kBool,
              {3, 4},
              false,
              "{'descr': '|b1', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kUint8,
              {3, 4},
              false,
              "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kUint16,
              {3, 4},
              false,
              "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kUint32,
              {3, 4},
              false,
              "{'descr': '<u4', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kUint64,
              {3, 4},
              false,
              "{'descr': '<u8', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kInt8,
              {3, 4},
              false,
              "{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kInt16,
              {3, 4},
              false,
              "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kInt32,
              {3, 4},
              false,
              "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kInt64,
              {3, 4},
              false,
              "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kFloat16,
              {3, 4},
              false,
              "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kFloat32,
              {3, 4},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kFloat64,
              {3, 4},
              false,
              "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kComplex64,
              {3, 4},
              false,
              "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kComplex128,
              {3, 4},
              false,
              "{'descr': '<c16', 'fortran_order': False, 'shape': (3, 4), }",
              128},
    GoldenRow{
        DType::kFloat32, {}, false, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 128},
    GoldenRow{DType::kFloat32,
              {0},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
              128},
    GoldenRow{DType::kFloat32,
              {5},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }",
              128},
    GoldenRow{DType::kFloat32,
              {1000000, 128},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 128), }",
              128},
    GoldenRow{DType::kFloat32,
              {3, 4},
              true,
              "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }",
              128},
    GoldenRow{DType::kInt64,
              {2, 0, 7},
              false,
              "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 0, 7), }",
              128},
    GoldenRow{DType::kFloat32,
              {2, 3, 4, 5, 6},
              true,
              "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4, 5, 6), }",
              128},
    GoldenRow{DType::kUint8,
              {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
              false,
              "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
              "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }",
              192},
    GoldenRow{DType::kUint8,
              {2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 123456789},
              false,
              "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
              "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 123456789), }",
              192},
    GoldenRow{DType::kFloat64,
              {12345678901, 0},
              false,
              "{'descr': '<f8', 'fortran_order': False, 'shape': (12345678901, 0), }",
              128},
    GoldenRow{DType::kFloat32,
              {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, "
              "7, 7, 7), }",
              128},
    GoldenRow{DType::kUint8,
              {1, 2, 1, 1, 1, 1, 1, 1},
              false,
              "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 1, 1, 1, 1, 1, 1), }",
              128},
    GoldenRow{DType::kComplex128,
              {1, 2, 1, 1, 1, 1, 1, 10},
              false,
              "{'descr': '<c16', 'fortran_order': False, 'shape': (1, 2, 1, 1, 1, 1, 1, 10), }",
              128},
    GoldenRow{DType::kUint8,
              {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100},
              false,
              "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
              "1, 1, 100), }",
              192},
    GoldenRow{DType::kFloat32,
              {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100},
              false,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
              "1, 1, 100), }",
              192},
    GoldenRow{DType::kComplex128,
              {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10},
              false,
              "{'descr': '<c16', 'fortran_order': False, 'shape': (3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
              "1, 1, 1, 10), }",
              192},
};

TEST(NpyHeader, IsWrittenByteForByteAsNumPyWritesIt) {
  for (const GoldenRow& row : kGolden) {
    std::string expected("\x93NUMPY\x01\x00", 8);
    expected += static_cast<char>((row.header_bytes - 10) & 0xff);
    expected += static_cast<char>((row.header_bytes - 10) >> 8);
    expected += row.dictionary;
    expected.append(row.header_bytes - expected.size() - 1, ' ');
    expected += '\n';
    NPK_ASSERT_OK_AND_ASSIGN(
        const std::string header,
        formats::encode_npy_header(row.dtype, row.shape, row.is_fortran_order));
    EXPECT_EQ(header, expected) << row.dictionary;
  }
}

TEST(NpyHeader, WhatIsWrittenIsReadBack) {
  for (const GoldenRow& row : kGolden) {
    NPK_ASSERT_OK_AND_ASSIGN(const formats::NpyHeader header,
                             formats::parse_npy_dictionary(row.dictionary, 10, false));
    EXPECT_EQ(header.dtype, row.dtype);
    EXPECT_EQ(header.shape, row.shape);
    EXPECT_EQ(header.is_fortran_order, row.is_fortran_order);
    EXPECT_FALSE(header.is_big_endian);
  }
}

TEST(NpyHeader, HasALengthThatDoesNotDependOnTheNumberOfRows) {
  for (const uint64_t rows : {uint64_t{0}, uint64_t{7}, uint64_t{123'456'789'012}}) {
    NPK_ASSERT_OK_AND_ASSIGN(const std::string header,
                             formats::encode_npy_header(DType::kFloat32, {rows, 128}, false));
    EXPECT_EQ(header.size(), 128u);
  }
}

TEST(NpyHeader, HasNoFormForBFloat16AndSaysWhatToDo) {
  NPK_EXPECT_ERROR(formats::encode_npy_header(DType::kBFloat16, {3}, false), kUnsupported,
                   "save the array as float32");
}

TEST(NpyHeader, EveryElementTypeButBFloat16HasAnNpyForm) {
  for (const DTypeInfo& info : dtype_table()) {
    EXPECT_EQ(formats::npy_descr_of(info.dtype).is_ok(), info.dtype != DType::kBFloat16)
        << info.name;
  }
}

TEST(NpyHeader, TakesTheSpellingsThatWritersUse) {
  const std::string_view accepted[] = {
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}",
      "{'shape': (3, 4), 'fortran_order': False, 'descr': '<f4'}",
      "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (3, 4)}",
      "{'descr':'<f4','fortran_order':False,'shape':(3,4,)}",
      "  { 'descr' : '=f4' ,\n\t'fortran_order' : False , 'shape' : ( 3 , 4 ) }   \n",
      "{'descr': '|f4', 'fortran_order': False, 'shape': (3, 4)}\n",
  };
  for (const std::string_view text : accepted) {
    NPK_ASSERT_OK_AND_ASSIGN(const formats::NpyHeader header,
                             formats::parse_npy_dictionary(text, 10, false));
    EXPECT_EQ(header.dtype, DType::kFloat32) << text;
    EXPECT_EQ(header.shape, (Shape{3, 4})) << text;
    EXPECT_FALSE(header.is_fortran_order || header.is_big_endian) << text;
  }
}

TEST(NpyHeader, TakesLongIntegersOfPython2InTheVersionsThatHadThem) {
  const std::string_view text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L)}";
  NPK_ASSERT_OK_AND_ASSIGN(const formats::NpyHeader header,
                           formats::parse_npy_dictionary(text, 10, true));
  EXPECT_EQ(header.shape, (Shape{3, 4}));
  NPK_EXPECT_ERROR(formats::parse_npy_dictionary(text, 12, false), kCorruption, "not 'L'");
}

struct RefusedRow {
  std::string_view dictionary;
  StatusCode code;
  std::string_view message;
  uint64_t offset;  // In the dictionary.
};

const RefusedRow kRefused[] = {
    {"", StatusCode::kCorruption, "'{' (the dictionary) was expected", 0},
    {"[1]", StatusCode::kCorruption, "not '['", 0},
    {"{", StatusCode::kCorruption, "the end of the header", 1},
    {"{}", StatusCode::kCorruption, "'descr' is missing", 0},
    {"{'descr': '<f4', 'shape': (3,)}", StatusCode::kCorruption, "'fortran_order' is missing", 0},
    {"{'descr': '<f4', 'fortran_order': False}", StatusCode::kCorruption, "'shape' is missing", 0},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", StatusCode::kCorruption,
     "unknown key 'x'", 56},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
     StatusCode::kCorruption, "'descr' is there twice", 17},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} + x", StatusCode::kCorruption,
     "'+' follows the dictionary", 56},
    {"{'descr': '<f4',, 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "a key, a quoted string", 16},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "',' or the end", 16},
    {"{descr: '<f4', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "a quoted string", 1},
    {"{'descr: <f4}", StatusCode::kCorruption, "a string has no end", 1},
    {"{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "cannot stand in a string", 4},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}", StatusCode::kCorruption,
     "True or False, found '0'", 34},
    {"{'descr': '<f4', 'fortran_order': false, 'shape': (3,)}", StatusCode::kCorruption,
     "True or False", 34},
    {"{'descr': '<f4', 'fortran_order': Falsely, 'shape': (3,)}", StatusCode::kCorruption,
     "not 'l'", 39},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 3}", StatusCode::kCorruption, "a tuple",
     50},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", StatusCode::kCorruption,
     "a ',' is missing", 50},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': [3, 4]}", StatusCode::kCorruption,
     "a tuple", 50},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4)}", StatusCode::kCorruption,
     "negative extent", 54},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 4)}", StatusCode::kCorruption,
     "',' or ')'", 53},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", StatusCode::kCorruption,
     "an integer was expected", 51},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1.5)}", StatusCode::kCorruption,
     "',' or ')'", 55},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0x10,)}", StatusCode::kCorruption,
     "',' or ')'", 52},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (07,)}", StatusCode::kCorruption,
     "begins with 0", 51},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, True)}", StatusCode::kCorruption,
     "an integer was expected", 54},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2**62,)}", StatusCode::kCorruption,
     "',' or ')'", 52},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
     StatusCode::kCorruption, "beyond 2^64", 51},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
     StatusCode::kCorruption, "more elements than can be addressed", 50},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 18446744073709551615, 3)}",
     StatusCode::kCorruption, "more elements than can be addressed", 50},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (\xd9\xa3,)}", StatusCode::kCorruption,
     "byte 217", 51},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "'|O' is Python objects: reading them would run code", 10},
    {"{'descr': '|S5', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "byte strings", 10},
    {"{'descr': '<U5', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "'<U5' is text", 10},
    {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "values.view('int64')", 10},
    {"{'descr': '<m8[D]', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "time differences", 10},
    {"{'descr': '|V8', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "bfloat16", 10},
    {"{'descr': '<f16', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "astype('float64')", 10},
    {"{'descr': '<c32', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "astype('complex128')", 10},
    {"{'descr': '<i16', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "possible are bool, uint8", 10},
    {"{'descr': [('x', '<f4'), ('y', '<i2')], 'fortran_order': False, 'shape': (3,)}",
     StatusCode::kUnsupported, "structured", 10},
    {"{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "structured", 10},
    {"{'descr': 'float32', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "'float32' is no element type", 10},
    {"{'descr': 'f4', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "'f4' is no element type", 10},
    {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "no element type", 10},
    {"{'descr': '<', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "no element type", 10},
    {"{'descr': '<f4 ', 'fortran_order': False, 'shape': (3,)}", StatusCode::kUnsupported,
     "width that is not known", 10},
    {"{'descr': '<q9', 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "no element type", 10},
    {"{'descr': None, 'fortran_order': False, 'shape': (3,)}", StatusCode::kCorruption,
     "the element type, a quoted string", 10},
};

TEST(NpyHeader, RefusesWhatNumPyDoesNotWriteAndNamesThePlace) {
  constexpr uint64_t kBase = 10;
  for (const RefusedRow& row : kRefused) {
    const auto header = formats::parse_npy_dictionary(row.dictionary, kBase, false);
    EXPECT_EQ(header.status().code(), row.code) << row.dictionary;
    EXPECT_THAT(header.status().message(), ::testing::HasSubstr(row.message)) << row.dictionary;
    EXPECT_EQ(header.status().offset_bytes(), kBase + row.offset) << row.dictionary << "\n"
                                                                  << header.status().to_string();
  }
}

TEST(NpyHeader, RefusesMoreThan32Dimensions) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int axis = 0; axis < 33; ++axis) text += "1, ";
  NPK_EXPECT_ERROR(formats::parse_npy_dictionary(text + ")}", 10, false), kUnsupported,
                   "33 dimensions, at most 32");
}

constexpr std::string_view kPlain = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";

struct FileRow {
  std::string bytes;
  StatusCode code;
  std::string_view message;
  uint64_t offset;
};

TEST(NpyFile, RefusesWhatIsNoNpyFileAndNamesThePlace) {
  const std::string data(48, 'x');
  const std::string good = npy_file_bytes(1, kPlain, data);
  std::string version_9 = good;
  version_9[6] = 9;
  std::string version_1_1 = good;
  version_1_1[7] = 1;
  std::string long_header = npy_header_bytes(2, std::string(70'000, ' '));
  std::string lying_length = npy_header_bytes(2, kPlain);
  lying_length[11] = '\x7f';
  const FileRow rows[] = {
      {"", StatusCode::kCorruption, "the file is empty", 0},
      {"hello, world", StatusCode::kCorruption, "does not begin with \\x93NUMPY", 0},
      {std::string("PK\x03\x04") + data, StatusCode::kCorruption, "zip archive, an .npz", 0},
      {std::string("\x80\x04\x95") + data, StatusCode::kCorruption, "Python pickle", 0},
      {std::string("\x93NUMPZ") + data, StatusCode::kCorruption, "does not begin with", 0},
      {version_9, StatusCode::kUnsupported, "npy version 9.0 is not known", 6},
      {version_1_1, StatusCode::kUnsupported, "npy version 1.1 is not known", 6},
      {long_header, StatusCode::kUnsupported, "at most 65535 are read", 8},
      {lying_length, StatusCode::kCorruption, "the file was cut off", 8},
      {good.substr(0, good.size() - 1), StatusCode::kCorruption,
       "which is 48 bytes from byte 128 on, but there are 47", 175},
      {good + "x", StatusCode::kCorruption, "but there are 49", 176},
      {good + good, StatusCode::kCorruption, "belong to nothing follow", 176},
      {npy_file_bytes(1, kPlain, ""), StatusCode::kCorruption, "but there are 0", 128},
  };
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  for (const FileRow& row : rows) {
    testing::write_file(path, row.bytes);
    const auto array = read_npy(path);
    EXPECT_EQ(array.status().code(), row.code) << row.message;
    EXPECT_THAT(array.status().message(), ::testing::HasSubstr(row.message));
    EXPECT_EQ(array.status().offset_bytes(), row.offset) << array.status().to_string();
    EXPECT_EQ(array.status().path(), path);
  }
}

TEST(NpyFile, CutOffAnywhereIsAnErrorAtThatByteOrBeforeIt) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  for (const int version : {1, 2, 3}) {
    const std::string good = npy_file_bytes(version, kPlain, std::string(48, 'x'));
    for (size_t size = 0; size < good.size(); ++size) {
      testing::write_file(path, good.substr(0, size));
      const auto array = read_npy(path);
      EXPECT_EQ(array.status().code(), StatusCode::kCorruption) << size;
      ASSERT_TRUE(array.status().offset_bytes().has_value()) << size;
      EXPECT_LE(*array.status().offset_bytes(), size);
    }
    testing::write_file(path, good);
    NPK_EXPECT_OK(read_npy(path));
  }
}

TEST(NpyFile, AnyChangedHeaderByteGivesAnErrorOrAnArrayOfTheFilesSize) {
  const TempDir directory;
  const std::string path = directory.file("a.npy");
  const std::string good = npy_file_bytes(1, kPlain, std::string(48, 'x'));
  std::mt19937_64 random(testing::test_seed());
  for (size_t at = 0; at < 128; ++at) {
    std::string changed = good;
    changed[at] = static_cast<char>(random());
    testing::write_file(path, changed);
    const auto array = read_npy(path);
    if (array.is_ok()) {
      EXPECT_EQ(array->size_bytes(), 48u) << at;
    } else {
      EXPECT_TRUE(array.status().offset_bytes().has_value()) << array.status().to_string();
    }
  }
}

TEST(NpyFile, MissingIsNotFound) {
  const TempDir directory;
  NPK_EXPECT_ERROR(read_npy(directory.file("none.npy")), kNotFound, "none.npy");
}

}  // namespace
}  // namespace npk
