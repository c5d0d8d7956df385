// AMD-Vi: the commands of the command buffer, after the section "Commands" of AMD's I/O virtualization
// technology specification. Layouts only. A command is two 64-bit little-endian words; positions count over
// both. `reserved0` and `reserved1` are the bits of each word that must be 0. C++17.
#pragma once

#include "size_code.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// "Opcode" of a command.
namespace opcode {
inline constexpr unsigned completion_wait = 0x1;
inline constexpr unsigned invalidate_devtab_entry = 0x2;
inline constexpr unsigned invalidate_iommu_pages = 0x3;
inline constexpr unsigned invalidate_iotlb_pages = 0x4; ///< CapHeader.IotlbSup
inline constexpr unsigned invalidate_interrupt_table = 0x5;
inline constexpr unsigned prefetch_iommu_pages = 0x6; ///< EFR.PreFSup
inline constexpr unsigned complete_ppr_request = 0x7; ///< EFR.PPRSup
inline constexpr unsigned invalidate_iommu_all = 0x8; ///< EFR.IASup
inline constexpr unsigned insert_guest_event = 0x9;   ///< EFR.vIommuSup
inline constexpr unsigned reset_vmmio = 0xA;          ///< EFR.vIommuSup
inline constexpr unsigned last = reset_vmmio;
} // namespace opcode

/// The specification's name of a command; "reserved" for an opcode that has none.
constexpr const char* command_name(unsigned code) {
    constexpr const char* names[] = {"reserved",
                                     "COMPLETION_WAIT",
                                     "INVALIDATE_DEVTAB_ENTRY",
                                     "INVALIDATE_IOMMU_PAGES",
                                     "INVALIDATE_IOTLB_PAGES",
                                     "INVALIDATE_INTERRUPT_TABLE",
                                     "PREFETCH_IOMMU_PAGES",
                                     "COMPLETE_PPR_REQUEST",
                                     "INVALIDATE_IOMMU_ALL",
                                     "INSERT_GUEST_EVENT",
                                     "RESET_VMMIO"};
    return code <= opcode::last ? names[code] : "reserved";
}

/// What all commands share.
namespace command {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field op = bits(63, 60);
} // namespace command

/// "COMPLETION_WAIT".
namespace completion_wait {
inline constexpr Field s = bit(0);                  ///< store `data` to `store_address`
inline constexpr Field i = bit(1);                  ///< interrupt: Status.ComWaitInt
inline constexpr Field f = bit(2);                  ///< flush: later commands do not start before it is done
inline constexpr Field store_address = bits(51, 3); ///< in place
inline constexpr Field data = bits(127, 64);
inline constexpr std::uint64_t reserved0 = 0x0FF0'0000'0000'0000;
inline constexpr std::uint64_t reserved1 = 0;
} // namespace completion_wait

/// "INVALIDATE_DEVTAB_ENTRY" and "INVALIDATE_INTERRUPT_TABLE".
namespace invalidate_device {
inline constexpr Field device_id = bits(15, 0);
inline constexpr std::uint64_t reserved0 = 0x0FFF'FFFF'FFFF'0000;
inline constexpr std::uint64_t reserved1 = ~0ull;
} // namespace invalidate_device

/// "INVALIDATE_IOMMU_PAGES".
namespace invalidate_pages {
inline constexpr Field pasid = bits(19, 0); ///< with GN
inline constexpr Field domain_id = bits(47, 32);
inline constexpr Field s = bit(64);             ///< see address_range
inline constexpr Field pde = bit(65);           ///< directory entries too
inline constexpr Field gn = bit(66);            ///< 1: guest virtual addresses of the PASID
inline constexpr Field address = bits(127, 76); ///< in place
inline constexpr std::uint64_t reserved0 = 0x0FFF'0000'FFF0'0000;
inline constexpr std::uint64_t reserved1 = 0xFF8;
} // namespace invalidate_pages

/// "INVALIDATE_IOTLB_PAGES". The order of the two low bytes of the PASID is that of the Linux 6 and FreeBSD
/// drivers; older ones have them the other way round.
namespace invalidate_iotlb {
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field pasid_15_8 = bits(23, 16);
inline constexpr Field max_pend = bits(31, 24); ///< depth of the device's invalidation queue
inline constexpr Field queue_id = bits(47, 32); ///< what shares that limit
inline constexpr Field pasid_7_0 = bits(55, 48);
inline constexpr Field pasid_19_16 = bits(59, 56);
inline constexpr Field s = bit(64); ///< see address_range
inline constexpr Field gn = bit(66);
inline constexpr Field type = bits(69, 68);     ///< EFR.InvIotlbTypeSup
inline constexpr Field address = bits(127, 76); ///< in place
inline constexpr std::uint64_t reserved0 = 0;
inline constexpr std::uint64_t reserved1 = 0xFCA;

constexpr std::uint32_t pasid(const std::uint64_t* words) {
    return static_cast<std::uint32_t>(pasid_19_16.get(words) << 16 | pasid_15_8.get(words) << 8 |
                                      pasid_7_0.get(words));
}
constexpr void set_pasid(std::uint64_t* words, std::uint32_t value) {
    pasid_7_0.set(words, value);
    pasid_15_8.set(words, value >> 8);
    pasid_19_16.set(words, value >> 16);
}
} // namespace invalidate_iotlb

/// "PREFETCH_IOMMU_PAGES".
namespace prefetch_pages {
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field pf_count = bits(31, 24);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field s = bit(64);
inline constexpr Field gn = bit(66);
inline constexpr Field inval = bit(68);         ///< invalidate first
inline constexpr Field address = bits(127, 76); ///< in place
inline constexpr std::uint64_t reserved0 = 0x0FF0'0000'00FF'0000;
inline constexpr std::uint64_t reserved1 = 0xFEA;
} // namespace prefetch_pages

/// "COMPLETE_PPR_REQUEST". The response codes are in ppr.h.
namespace complete_ppr {
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field gn = bit(66);        ///< the PASID counts
inline constexpr Field tag = bits(104, 96); ///< page request group index
inline constexpr Field response = bits(111, 108);
inline constexpr std::uint64_t reserved0 = 0x0FF0'0000'FFFF'0000;
inline constexpr std::uint64_t reserved1 = 0xFFFF'0000'FFFF'FFFB;
} // namespace complete_ppr

/// "INVALIDATE_IOMMU_ALL".
namespace invalidate_all {
inline constexpr std::uint64_t reserved0 = 0x0FFF'FFFF'FFFF'FFFF;
inline constexpr std::uint64_t reserved1 = ~0ull;
} // namespace invalidate_all

/// "INSERT_GUEST_EVENT" and "RESET_VMMIO", of hardware virtual IOMMUs.
namespace insert_guest_event {
inline constexpr Field guest_id = bits(47, 32);
} // namespace insert_guest_event
namespace reset_vmmio {
inline constexpr Field guest_id = bits(15, 0);
inline constexpr Field all = bit(28);
inline constexpr Field vcmd = bit(31);
} // namespace reset_vmmio

/// What the S bit and the address of a command cover: one page of 4 KB with S = 0, otherwise the size that
/// the address carries.
namespace address_range {
/// Address with S = 1 that software gives for everything.
inline constexpr std::uint64_t all_addresses = 0x7FFF'FFFF'FFFF'F000;
/// A lowest 0 at or above this bit means everything.
inline constexpr unsigned everything_from = 51;

/// log2 of the bytes covered; 64 for everything.
constexpr unsigned log2_bytes(std::uint64_t address, std::uint64_t s_value) {
    if (s_value == 0)
        return 12;
    const unsigned zero = size_code::lowest_zero(address);
    return zero >= everything_from ? 64 : zero + 1;
}
constexpr std::uint64_t base(std::uint64_t address, unsigned log2_bytes_covered) {
    return address & ~low_bits(log2_bytes_covered) & ~low_bits(12);
}
/// Address for the aligned range of 2^log2_bytes_covered (13 to 51) around `address`; S is 1.
constexpr std::uint64_t encode(std::uint64_t address, unsigned log2_bytes_covered) {
    return size_code::encode(address, log2_bytes_covered);
}
} // namespace address_range

} // namespace iommusim::amdvi::spec
