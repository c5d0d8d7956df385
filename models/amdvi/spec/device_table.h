// AMD-Vi: the device table entry, after the section "Device Table" of AMD's I/O virtualization technology
// specification. Layouts only. Positions count over the whole entry of four 64-bit little-endian words. The
// IOMMU reads an entry in one access of 256 bits; software changes it with at most two of 128 bits. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// DeviceID: bus, device and function of a requester.
namespace device_id {
inline constexpr Field function = bits(2, 0);
inline constexpr Field device = bits(7, 3);
inline constexpr Field devfn = bits(7, 0);
inline constexpr Field bus = bits(15, 8);
} // namespace device_id

/// "Device Table Entry".
namespace dte {
inline constexpr unsigned words = 4;
inline constexpr std::uint64_t bytes = 32;

// Word 0: validity, host table, guest translation, permissions.
inline constexpr Field v = bit(0);       ///< bits 127:1 count
inline constexpr Field tv = bit(1);      ///< the translation fields count
inline constexpr Field had = bits(8, 7); ///< host accessed and dirty bits; EFR.HASup, HDSup
inline constexpr std::uint64_t had_none = 0;
inline constexpr std::uint64_t had_accessed = 1;
inline constexpr std::uint64_t had_reserved = 2;
inline constexpr std::uint64_t had_accessed_dirty = 3;
inline constexpr Field mode = bits(11, 9);    ///< host table levels
inline constexpr std::uint64_t mode_none = 0; ///< no host table: addresses pass, IR and IW count
inline constexpr std::uint64_t mode_max = 6;
inline constexpr std::uint64_t mode_reserved = 7;
inline constexpr Field host_pt_root = bits(51, 12); ///< in place
inline constexpr Field ppr = bit(52);               ///< the device may send page requests
inline constexpr Field gprp = bit(53);              ///< responses to page requests carry the PASID
inline constexpr Field giov = bit(54); ///< requests without PASID use the guest table of PASID 0; EFR.GIoSup
inline constexpr Field gv = bit(55);   ///< guest translation valid
inline constexpr Field glx = bits(57, 56); ///< GCR3 table levels - 1
inline constexpr std::uint64_t glx_reserved = 3;
inline constexpr Field gcr3_trp_14_12 = bits(60, 58); ///< see gcr3_root()
inline constexpr Field ir = bit(61);
inline constexpr Field iw = bit(62);

// Word 1: domain, guest translation, special ranges.
inline constexpr Field domain_id = bits(79, 64);
inline constexpr Field gcr3_trp_30_15 = bits(95, 80);
inline constexpr Field i = bit(96);            ///< IOTLB enable: ATS and pretranslated requests
inline constexpr Field se = bit(97);           ///< suppress I/O page faults after the first
inline constexpr Field sa = bit(98);           ///< suppress all I/O page faults
inline constexpr Field io_ctl = bits(100, 99); ///< port I/O space
inline constexpr std::uint64_t io_ctl_abort = 0;
inline constexpr std::uint64_t io_ctl_forward = 1;
inline constexpr std::uint64_t io_ctl_translate = 2;
inline constexpr std::uint64_t io_ctl_reserved = 3;
inline constexpr Field cache = bit(101);         ///< 1: translations for ATS are not kept here
inline constexpr Field sd = bit(102);            ///< snoop disable
inline constexpr Field ex = bit(103);            ///< the exclusion range applies
inline constexpr Field sys_mgt = bits(105, 104); ///< system management range
inline constexpr std::uint64_t sys_mgt_abort = 0;
inline constexpr std::uint64_t sys_mgt_forward = 1;
inline constexpr std::uint64_t sys_mgt_forward_intx = 2;
inline constexpr std::uint64_t sys_mgt_translate = 3;
inline constexpr Field sats = bit(106); ///< secure ATS; EFR.SATSSup
inline constexpr Field gcr3_trp_51_31 = bits(127, 107);

// Word 2: interrupts. Independent of V.
inline constexpr Field iv = bit(128);
inline constexpr Field int_tab_len = bits(132, 129); ///< log2 of the entries
inline constexpr std::uint64_t int_tab_len_max = 11;
inline constexpr Field ig = bit(133);                 ///< unmapped interrupts are not logged
inline constexpr Field int_tab_root = bits(179, 134); ///< in place
inline constexpr Field guest_paging_mode = bits(183, 182);
inline constexpr std::uint64_t guest_4_level = 0;
inline constexpr std::uint64_t guest_5_level = 1; ///< the other codes are reserved
inline constexpr Field init_pass = bit(184);
inline constexpr Field eint_pass = bit(185);
inline constexpr Field nmi_pass = bit(186);
inline constexpr Field hpt_mode = bit(187);      ///< hint
inline constexpr Field int_ctl = bits(189, 188); ///< fixed and arbitrated interrupts
inline constexpr std::uint64_t int_ctl_abort = 0;
inline constexpr std::uint64_t int_ctl_forward = 1;
inline constexpr std::uint64_t int_ctl_remap = 2;
inline constexpr std::uint64_t int_ctl_reserved = 3;
inline constexpr Field lint0_pass = bit(190);
inline constexpr Field lint1_pass = bit(191);

// Word 3: virtual IOMMU, attributes. Bit 245 is left to software, or reserved; sources differ.
inline constexpr Field vimu_en = bit(207);
inline constexpr Field guest_device_id = bits(223, 208);
inline constexpr Field guest_id = bits(239, 224);
inline constexpr Field attr_v = bit(246);
inline constexpr Field mode0_fc = bit(247);
inline constexpr Field snoop_attribute = bits(255, 248);

inline constexpr std::uint64_t reserved0 = 0x8000'0000'0000'007C;
inline constexpr std::uint64_t reserved1 = 0;
inline constexpr std::uint64_t reserved2 = 0x0030'0000'0000'0000;
inline constexpr std::uint64_t reserved3 = 0x003F'0000'0000'7FFF;

/// GCR3 Table Root Pointer, whose bits lie in three fields.
constexpr std::uint64_t gcr3_root(const std::uint64_t* entry) {
    return gcr3_trp_14_12.get(entry) << 12 | gcr3_trp_30_15.get(entry) << 15 |
           gcr3_trp_51_31.get(entry) << 31;
}
constexpr void set_gcr3_root(std::uint64_t* entry, std::uint64_t address) {
    gcr3_trp_14_12.set(entry, address >> 12);
    gcr3_trp_30_15.set(entry, address >> 15);
    gcr3_trp_51_31.set(entry, address >> 31);
}

/// Offset in a table, or in the segment of a segmented one.
constexpr std::uint64_t offset(std::uint16_t id, unsigned log2_segments = 0) {
    return (id & low_bits(16 - log2_segments)) * bytes;
}
} // namespace dte

} // namespace iommusim::amdvi::spec
