// What the stream table and the context descriptor say about one stream: decoded, checked, ready to cache.
#pragma once

#include "models/core/tag.h"

#include <cstdint>

namespace iommusim::smmuv3 {

/// Bits of Tag::context and Tag::owner as this architecture uses them.
namespace tag {
inline constexpr std::uint64_t asid_mask = 0xffff;
inline constexpr unsigned vmid_shift = 16;
inline constexpr std::uint64_t vmid_mask = 0xffffull << vmid_shift;
inline constexpr std::uint64_t global = 1ull << 34; ///< nG = 0
inline constexpr std::uint64_t aset = 1ull << 35;

inline constexpr std::uint64_t stream_mask = 0xffff'ffff;
inline constexpr unsigned substream_shift = 32;
inline constexpr std::uint64_t substream_mask = 0xf'ffffull << substream_shift;
inline constexpr std::uint64_t substream_valid = 1ull << 52;

/// "All entries of one ASID": global entries stay (TLBI_NH_ASID).
inline constexpr ScopeKind of_asid{asid_mask | global, 0};
inline constexpr ScopeKind of_stream{0, stream_mask};
inline constexpr ScopeKind of_substream{0, stream_mask | substream_mask};

inline std::uint64_t owner(std::uint32_t stream, bool has_substream, std::uint32_t substream) {
    return stream | (has_substream ? substream_valid | (std::uint64_t{substream} << substream_shift) : 0);
}
} // namespace tag

/// One half (TTB0 or TTB1) of a stage 1 address space.
struct TranslationHalf {
    bool enabled = false;          ///< EPDx = 0
    bool ignore_hierarchy = false; ///< HADx
    bool ignore_top_byte = false;  ///< TBIx
    std::uint8_t input_bits = 0;   ///< 64 - TxSZ
    std::uint64_t table = 0;       ///< TTBx
};

struct Configuration {
    enum class Kind : std::uint8_t {
        fault,  ///< the structures are illegal or the fetch failed: `event` says how
        abort,  ///< STE.Config = 0xx: terminate silently
        bypass, ///< STE.Config = 100, or stage 1 bypassed by S1DSS
        stage_1,
    };

    Kind kind = Kind::abort;
    std::uint8_t event = 0;          ///< valid for Kind::fault
    bool cacheable = true;           ///< false for failed fetches and refusals that depend on registers
    std::uint64_t fetch_address = 0; ///< of the failed fetch

    // CD
    TranslationHalf half[2];
    std::uint16_t asid = 0;
    bool aset = false;
    std::uint8_t output_bits = 0;          ///< effective IPS
    bool ignore_access_flag = false;       ///< AFFD
    bool write_implies_no_execute = false; ///< WXN
    bool privileged_access_never = false;  ///< PAN
    bool abort_on_fault = true;            ///< A
    bool record_faults = true;             ///< R

    std::uint64_t context_tag() const { return asid | (aset ? tag::aset : 0); }
};

} // namespace iommusim::smmuv3
