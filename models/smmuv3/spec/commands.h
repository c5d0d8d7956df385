// SMMUv3 commands: opcodes, fields and error codes, after Arm IHI 0070 G.b chapter 4 and section 7.1.
// Layouts only. A command is two 64-bit little-endian words; positions count over all 128 bits. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// 4.1.1, command opcodes.
namespace opcode {
inline constexpr unsigned prefetch_config = 0x01;
inline constexpr unsigned prefetch_addr = 0x02;
inline constexpr unsigned cfgi_ste = 0x03;
inline constexpr unsigned cfgi_ste_range = 0x04; ///< CMD_CFGI_ALL is this opcode with Range = 31
inline constexpr unsigned cfgi_cd = 0x05;
inline constexpr unsigned cfgi_cd_all = 0x06;
inline constexpr unsigned cfgi_vms_pidm = 0x07;
inline constexpr unsigned tlbi_nh_all = 0x10;
inline constexpr unsigned tlbi_nh_asid = 0x11;
inline constexpr unsigned tlbi_nh_va = 0x12;
inline constexpr unsigned tlbi_nh_vaa = 0x13;
inline constexpr unsigned tlbi_el3_all = 0x18;
inline constexpr unsigned tlbi_el3_va = 0x1A;
inline constexpr unsigned tlbi_el2_all = 0x20;
inline constexpr unsigned tlbi_el2_asid = 0x21;
inline constexpr unsigned tlbi_el2_va = 0x22;
inline constexpr unsigned tlbi_el2_vaa = 0x23;
inline constexpr unsigned tlbi_s12_vmall = 0x28;
inline constexpr unsigned tlbi_s2_ipa = 0x2A;
inline constexpr unsigned tlbi_nsnh_all = 0x30;
inline constexpr unsigned atc_inv = 0x40;
inline constexpr unsigned pri_resp = 0x41;
inline constexpr unsigned resume = 0x44;
inline constexpr unsigned stall_term = 0x45;
inline constexpr unsigned sync = 0x46;
inline constexpr unsigned tlbi_s_el2_all = 0x50;
inline constexpr unsigned tlbi_s_el2_asid = 0x51;
inline constexpr unsigned tlbi_s_el2_va = 0x52;
inline constexpr unsigned tlbi_s_el2_vaa = 0x53;
inline constexpr unsigned tlbi_s_s12_vmall = 0x58;
inline constexpr unsigned tlbi_s_s2_ipa = 0x5A;
inline constexpr unsigned tlbi_snh_all = 0x60;
inline constexpr unsigned dpti_all = 0x70;
inline constexpr unsigned dpti_pa = 0x73;
inline constexpr unsigned implementation_defined_first = 0x80;
inline constexpr unsigned implementation_defined_last = 0x8F;
} // namespace opcode

/// The specification's name of an opcode; "reserved" for one that has none.
constexpr const char* command_name(unsigned op) {
    switch (op) {
    case opcode::prefetch_config:
        return "CMD_PREFETCH_CONFIG";
    case opcode::prefetch_addr:
        return "CMD_PREFETCH_ADDR";
    case opcode::cfgi_ste:
        return "CMD_CFGI_STE";
    case opcode::cfgi_ste_range:
        return "CMD_CFGI_STE_RANGE";
    case opcode::cfgi_cd:
        return "CMD_CFGI_CD";
    case opcode::cfgi_cd_all:
        return "CMD_CFGI_CD_ALL";
    case opcode::cfgi_vms_pidm:
        return "CMD_CFGI_VMS_PIDM";
    case opcode::tlbi_nh_all:
        return "CMD_TLBI_NH_ALL";
    case opcode::tlbi_nh_asid:
        return "CMD_TLBI_NH_ASID";
    case opcode::tlbi_nh_va:
        return "CMD_TLBI_NH_VA";
    case opcode::tlbi_nh_vaa:
        return "CMD_TLBI_NH_VAA";
    case opcode::tlbi_el3_all:
        return "CMD_TLBI_EL3_ALL";
    case opcode::tlbi_el3_va:
        return "CMD_TLBI_EL3_VA";
    case opcode::tlbi_el2_all:
        return "CMD_TLBI_EL2_ALL";
    case opcode::tlbi_el2_asid:
        return "CMD_TLBI_EL2_ASID";
    case opcode::tlbi_el2_va:
        return "CMD_TLBI_EL2_VA";
    case opcode::tlbi_el2_vaa:
        return "CMD_TLBI_EL2_VAA";
    case opcode::tlbi_s12_vmall:
        return "CMD_TLBI_S12_VMALL";
    case opcode::tlbi_s2_ipa:
        return "CMD_TLBI_S2_IPA";
    case opcode::tlbi_nsnh_all:
        return "CMD_TLBI_NSNH_ALL";
    case opcode::atc_inv:
        return "CMD_ATC_INV";
    case opcode::pri_resp:
        return "CMD_PRI_RESP";
    case opcode::resume:
        return "CMD_RESUME";
    case opcode::stall_term:
        return "CMD_STALL_TERM";
    case opcode::sync:
        return "CMD_SYNC";
    case opcode::tlbi_s_el2_all:
        return "CMD_TLBI_S_EL2_ALL";
    case opcode::tlbi_s_el2_asid:
        return "CMD_TLBI_S_EL2_ASID";
    case opcode::tlbi_s_el2_va:
        return "CMD_TLBI_S_EL2_VA";
    case opcode::tlbi_s_el2_vaa:
        return "CMD_TLBI_S_EL2_VAA";
    case opcode::tlbi_s_s12_vmall:
        return "CMD_TLBI_S_S12_VMALL";
    case opcode::tlbi_s_s2_ipa:
        return "CMD_TLBI_S_S2_IPA";
    case opcode::tlbi_snh_all:
        return "CMD_TLBI_SNH_ALL";
    case opcode::dpti_all:
        return "CMD_DPTI_ALL";
    case opcode::dpti_pa:
        return "CMD_DPTI_PA";
    default:
        return "reserved";
    }
}

/// 4.1, fields that several commands share.
namespace command {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field opcode = bits(7, 0);
inline constexpr Field ssec = bit(10); ///< 1 is illegal on the Non-secure queue
inline constexpr Field ssv = bit(11);
inline constexpr Field substream_id = bits(31, 12);
inline constexpr Field stream_id = bits(63, 32);
inline constexpr Field leaf = bit(64);
inline constexpr Field address = bits(127, 76); ///< in place: address bits 63:12
} // namespace command

/// 4.2, CMD_PREFETCH_ADDR: 2^Size translations, 2^(12+Stride) bytes apart, from Address. The position of
/// Stride is taken from secondary sources.
namespace prefetch {
inline constexpr Field size = bits(68, 64);
inline constexpr Field stride = bits(73, 69);
inline constexpr Field address = command::address;
} // namespace prefetch

/// 4.3, CMD_CFGI_*; CMD_CFGI_STE and CMD_CFGI_CD use command::leaf.
namespace cfgi {
inline constexpr Field leaf = command::leaf;
inline constexpr Field range = bits(68, 64); ///< CFGI_STE_RANGE: 2^(Range+1) aligned StreamIDs
inline constexpr std::uint64_t range_all = 31;
inline constexpr Field vmid = bits(47, 32); ///< CFGI_VMS_PIDM
} // namespace cfgi

/// 4.4, CMD_TLBI_*. NUM, SCALE, TTL and TG exist with IDR3.RIL.
namespace tlbi {
inline constexpr Field num = bits(16, 12);
inline constexpr Field scale = bits(24, 20);
inline constexpr Field scale_with_ds = bits(25, 20);
inline constexpr Field vmid = bits(47, 32);
inline constexpr Field asid = bits(63, 48);
inline constexpr Field leaf = command::leaf;
inline constexpr Field ttl128 = bit(71);
inline constexpr Field ttl = bits(73, 72); ///< 0 any level, 1 to 3 the level of the leaf entries
inline constexpr Field tg = bits(75, 74);
inline constexpr std::uint64_t tg_none = 0; ///< one address, no range, no level hint
inline constexpr std::uint64_t tg_4k = 1;
inline constexpr std::uint64_t tg_16k = 2;
inline constexpr std::uint64_t tg_64k = 3;
inline constexpr Field address = command::address;
inline constexpr Field ipa = bits(119, 76); ///< CMD_TLBI_S2_IPA, in place: address bits 55:12

/// log2 of the granule that a non-zero TG names.
constexpr unsigned granule_bits(std::uint64_t tg_code) { return 10 + 2 * static_cast<unsigned>(tg_code); }
/// Bytes covered from Address: (NUM + 1) * 2^SCALE granules, TG not 0.
constexpr std::uint64_t range_bytes(std::uint64_t num_code, std::uint64_t scale_code, std::uint64_t tg_code) {
    return (num_code + 1) << (scale_code + granule_bits(tg_code));
}
} // namespace tlbi

/// 4.5, CMD_ATC_INV: 4096 * 2^Size bytes.
namespace atc_inv {
inline constexpr Field global = bit(9);
inline constexpr Field size = bits(69, 64);
inline constexpr std::uint64_t size_all = 52;
inline constexpr Field address = command::address;
} // namespace atc_inv

/// 4.5, CMD_PRI_RESP.
namespace pri_resp {
inline constexpr Field prg_index = bits(72, 64);
inline constexpr Field resp = bits(77, 76);
inline constexpr std::uint64_t resp_failure = 0;
inline constexpr std::uint64_t resp_invalid_request = 1;
inline constexpr std::uint64_t resp_success = 2;
} // namespace pri_resp

/// 4.7, CMD_RESUME.
namespace resume {
inline constexpr Field action = bit(12); ///< Ac: 1 retry, 0 terminate
inline constexpr Field abort = bit(13);  ///< Ab: terminate with abort, otherwise RAZ/WI
inline constexpr Field stag = bits(79, 64);
} // namespace resume

/// 4.7, CMD_SYNC.
namespace sync {
inline constexpr Field cs = bits(13, 12); ///< completion signal
inline constexpr std::uint64_t cs_none = 0;
inline constexpr std::uint64_t cs_irq = 1; ///< MSI if MSIAddress is not 0, and the wired pulse
inline constexpr std::uint64_t cs_sev = 2;
inline constexpr Field msh = bits(23, 22);
inline constexpr Field msi_attr = bits(27, 24); ///< a memattr code
inline constexpr Field msi_data = bits(63, 32);
inline constexpr Field msi_addr = bits(119, 66); ///< in place: address bits 55:2
} // namespace sync

/// 7.1, codes of CMDQ_CONS.ERR.
namespace cerror {
inline constexpr unsigned none = 0;
inline constexpr unsigned ill = 1;          ///< illegal command
inline constexpr unsigned abt = 2;          ///< abort on command fetch
inline constexpr unsigned atc_inv_sync = 3; ///< CMD_SYNC failed to complete an ATC invalidation
} // namespace cerror

/// The specification's name of an error code; "reserved" for one that has none.
constexpr const char* cerror_name(unsigned code) {
    switch (code) {
    case cerror::none:
        return "CERROR_NONE";
    case cerror::ill:
        return "CERROR_ILL";
    case cerror::abt:
        return "CERROR_ABT";
    case cerror::atc_inv_sync:
        return "CERROR_ATC_INV_SYNC";
    default:
        return "reserved";
    }
}

} // namespace iommusim::smmuv3::spec
