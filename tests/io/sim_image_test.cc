#include "io/sim_image.h"

#include <algorithm>
#include <vector>

#include "tests/support/support.h"

namespace npk::io {
namespace {

using ByteVector = std::vector<std::byte>;

ByteVector content_of(const SimImage& image, uint64_t length_bytes) {
  ByteVector content(length_bytes);
  image.read(0, content);
  return content;
}

TEST(SimImage, AgreesWithAVectorAndNeverTouchesItsCopies) {
  std::mt19937_64 random(testing::test_seed());
  constexpr uint64_t kMost = 40'000;
  Shared<SimImage> image(new SimImage);
  ByteVector model(kMost);
  for (int round = 0; round < 2'000; ++round) {
    const Shared<SimImage> before = image;
    const ByteVector model_before = model;
    const uint64_t at = random() % kMost;
    const uint64_t length = random() % (kMost - at);
    const auto place = model.begin() + static_cast<ptrdiff_t>(at);
    switch (random() % 3) {
      case 0: {
        ByteVector bytes(length);
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 3);
        image.own().write(at, bytes);
        std::copy(bytes.begin(), bytes.end(), place);
        break;
      }
      case 1:
        image.own().write_zeros(at, length);
        std::fill_n(place, length, std::byte{0});
        break;
      default:
        image.own().set_size(at);
        image.own().trim();
        std::fill(place, model.end(), std::byte{0});
        ASSERT_TRUE(image->is_trimmed());
    }
    ASSERT_TRUE(content_of(*image, kMost) == model) << "round " << round;
    ASSERT_TRUE(content_of(*before, kMost) == model_before) << "round " << round;
  }
}

TEST(SimImage, KeepsNoPagesOfZeros) {
  SimImage image;
  image.write(uint64_t{1} << 40, ByteVector(1'000'000));
  image.write_zeros(0, uint64_t{1} << 50);
  EXPECT_TRUE(image.pages().empty());
  image.write(uint64_t{1} << 40, ByteVector(1, std::byte{1}));
  EXPECT_EQ(image.pages().size(), 1U);
}

TEST(SimImage, CopiesShareTheirPages) {
  Shared<SimImage> image(new SimImage);
  image.own().write(0, ByteVector(3 * kSimPageBytes, std::byte{7}));
  Shared<SimImage> copy(new SimImage(*image));
  copy.own().write(kSimPageBytes, ByteVector(1, std::byte{8}));
  EXPECT_EQ(copy->pages()[0].page.get(), image->pages()[0].page.get());
  EXPECT_NE(copy->pages()[1].page.get(), image->pages()[1].page.get());
  EXPECT_EQ(copy->pages()[2].page.get(), image->pages()[2].page.get());
}

TEST(SimImage, TakesSinglePagesOfAnother) {
  std::mt19937_64 random(testing::test_seed());
  constexpr uint64_t kPages = 12;
  SimImage a;
  SimImage b;
  for (SimImage* image : {&a, &b}) {
    for (uint64_t page = 0; page < kPages; ++page) {
      if (random() % 2 == 0) continue;
      image->write(page * kSimPageBytes, ByteVector(10, static_cast<std::byte>(1 + random() % 9)));
    }
  }
  ByteVector expected = content_of(a, kPages * kSimPageBytes);
  const ByteVector theirs = content_of(b, kPages * kSimPageBytes);
  for (const uint64_t page : {3U, 0U, 11U, 7U, 7U, 5U}) {
    a.take_page(page, b);
    const auto from = static_cast<ptrdiff_t>(page * kSimPageBytes);
    std::copy_n(theirs.begin() + from, kSimPageBytes, expected.begin() + from);
    ASSERT_TRUE(content_of(a, kPages * kSimPageBytes) == expected) << "page " << page;
  }
}

TEST(SimImage, KnowsWhetherAnythingLiesBeyondTheSize) {
  SimImage image;
  EXPECT_TRUE(image.is_trimmed());
  image.write(100, ByteVector(50, std::byte{1}));
  EXPECT_FALSE(image.is_trimmed());
  image.set_size(150);
  EXPECT_TRUE(image.is_trimmed());
  image.set_size(149);
  EXPECT_FALSE(image.is_trimmed());
  image.trim();
  EXPECT_TRUE(image.is_trimmed());
  image.set_size(5 * kSimPageBytes);
  image.write(5 * kSimPageBytes - 1, ByteVector(2, std::byte{1}));
  EXPECT_FALSE(image.is_trimmed());
}

}  // namespace
}  // namespace npk::io
