#include "npk/dtype.h"

#include <cmath>
#include <limits>

#include "tests/support/support.h"

namespace npk {
namespace {

TEST(DTypeTable, NamesAndNumbersGoBothWays) {
  for (const DTypeInfo& info : dtype_table()) {
    NPK_ASSERT_OK_AND_ASSIGN(const DType by_name, dtype_from_name(info.name));
    EXPECT_EQ(by_name, info.dtype);
    NPK_ASSERT_OK_AND_ASSIGN(const DType by_number,
                             dtype_from_number(static_cast<uint64_t>(info.dtype)));
    EXPECT_EQ(by_number, info.dtype);
  }
  NPK_EXPECT_ERROR(dtype_from_name("float8"), kInvalidArgument, "known are bool, uint8");
  NPK_EXPECT_ERROR(dtype_from_number(15), kUnsupported, "15");
}

TEST(Float16, EveryBitPatternSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 65'536; ++bits) {
    const auto half = Float16::from_bits(static_cast<uint16_t>(bits));
    const auto wide = static_cast<float>(half);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(Float16(wide))));
    } else {
      EXPECT_EQ(Float16(wide).bits, bits);
    }
  }
}

TEST(Float16, RoundsHalfwayCasesToEven) {
  EXPECT_EQ(Float16(1.0f + 0x1p-11f).bits, 0x3c00);  // Halfway: down to even.
  EXPECT_EQ(Float16(1.0f + 0x3p-11f).bits, 0x3c02);  // Halfway: up to even.
  EXPECT_EQ(Float16(0x1p-25f).bits, 0);
  EXPECT_EQ(Float16(std::nextafter(0x1p-25f, 1.0f)).bits, 1);
  EXPECT_EQ(Float16(65'519.0f).bits, 0x7bff);
  EXPECT_EQ(Float16(65'520.0f).bits, 0x7c00);
}

TEST(BFloat16, RoundsHalfwayCasesToEvenAndKeepsNaN) {
  EXPECT_EQ(BFloat16(1.0f + 0x1p-8f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.0f + 0x3p-8f).bits, 0x3f82);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(static_cast<float>(BFloat16(-2.5f)), -2.5f);
}

}  // namespace
}  // namespace npk
