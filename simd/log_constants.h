// The logarithm of kl and js: the method and coefficients of fdlibm's log (e_log.c, Sun
// Microsystems 1993): x = m·2^k with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f), and
// ln(1 + f) = f - (f²/2 - s·(f²/2 + R(s²))). Its error is below one unit in the last place. It is
// made of additions, products and divisions only, so that every target gives the same bits; the C
// library's log does not promise that.
#ifndef NPK_SIMD_LOG_CONSTANTS_H_
#define NPK_SIMD_LOG_CONSTANTS_H_

#include <cstdint>

namespace npk::simd {

inline constexpr double kDivergenceEpsilon = 1e-7;

inline constexpr double kLn2High = 6.93147180369123816490e-01;
inline constexpr double kLn2Low = 1.90821492927058770002e-10;
inline constexpr double kLog1 = 6.666666666666735130e-01;
inline constexpr double kLog2 = 3.999999999940941908e-01;
inline constexpr double kLog3 = 2.857142874366239149e-01;
inline constexpr double kLog4 = 2.222219843214978396e-01;
inline constexpr double kLog5 = 1.818357216161805012e-01;
inline constexpr double kLog6 = 1.531383769920937332e-01;
inline constexpr double kLog7 = 1.479819860511658591e-01;

/// The bits of sqrt(1/2): where m begins.
inline constexpr int64_t kHalfRootBits = 0x3fe6a09e667f3bcd;
/// Adding a small integer to these bits and then subtracting this number makes it a double.
inline constexpr int64_t kIntegerBits = 0x4338000000000000;
inline constexpr double kIntegerOffset = 0x1.8p52;
inline constexpr double kLeastNormal = 0x1p-1022;
inline constexpr double kSubnormalScale = 0x1p54;

}  // namespace npk::simd

#endif  // NPK_SIMD_LOG_CONSTANTS_H_
