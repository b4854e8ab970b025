// Small, seeded chance for the simulated file system. Seeding a std::mt19937_64 costs more than
// making a whole crashed disk.
#ifndef NPK_IO_SIM_RANDOM_H_
#define NPK_IO_SIM_RANDOM_H_

#include <cstdint>

namespace npk::io {

/// SplitMix64 (Steele, Lea and Flood 2014): one well mixed number for each seed.
constexpr uint64_t sim_mix(uint64_t seed) {
  seed += 0x9E3779B97F4A7C15;
  seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
  seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EB;
  return seed ^ (seed >> 31);
}

class SimChance {
 public:
  explicit SimChance(uint64_t seed) : state_(seed) {}
  uint64_t draw() { return sim_mix(state_ += 0x9E3779B97F4A7C15); }
  bool one_in(uint64_t count) { return draw() % count == 0; }

 private:
  uint64_t state_;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_RANDOM_H_
