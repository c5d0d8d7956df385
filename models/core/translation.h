// What a translation unit says about one address. C++17: part of the public modules.
#pragma once

#include "../base/time.h"
#include "requester.h"

#include <cstdint>

namespace iommusim {

struct Translation {
    enum class Outcome : std::uint8_t {
        pass,    ///< go on to `output`
        abort,   ///< answer with an error
        discard, ///< answer with success; writes are dropped, reads return zero (RAZ/WI)
        message, ///< an interrupt: `message` is written to `output` instead of the data
        done,    ///< carried out inside the unit: answer with success, nothing goes on
    };

    Outcome outcome = Outcome::abort;
    bool permission_fault =
        false;                ///< abort because the access is not permitted, not because nothing is mapped
    bool empty = false;       ///< abort of a translation request: answered with R = W = 0, not with an error
    bool unsupported = false; ///< abort of a translation request: the device has no business to ask
    bool untranslated_only = false; ///< translation requests: the device must not translate this page itself
    bool may_read = false;
    bool may_write = false;
    std::uint32_t message = 0;  ///< data of an interrupt message
    std::uint64_t output = 0;   ///< translated address of the byte asked for
    std::uint64_t first = 0;    ///< first input address this answer holds for
    std::uint64_t last = ~0ull; ///< last input address this answer holds for, inclusive
    const char* served_by = ""; ///< structure it came from
    Picoseconds cached_at = 0;  ///< when that structure was filled
    const char* fault = "";     ///< the architecture's name of the fault, if any
};

/// Answers from the tables in memory as they are now: no time, no side effects, no caches.
class ReferenceTranslator {
public:
    virtual ~ReferenceTranslator() = default;
    virtual Translation look_up(const Requester& requester, std::uint64_t address, bool write) = 0;
};

} // namespace iommusim
