// Everything: `#include <npk/npk.h>`.
#ifndef NPK_NPK_H_
#define NPK_NPK_H_

#include "npk/array.h"
#include "npk/convert.h"
#include "npk/dtype.h"
#include "npk/search.h"
#include "npk/status.h"
#include "npk/store.h"
#include "npk/version.h"

#endif  // NPK_NPK_H_
