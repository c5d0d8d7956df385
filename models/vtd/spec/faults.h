// Intel VT-d faults: reason codes and fault records, after the chapter "Address Translation Faults" and the
// section "Fault Recording Registers" of the VT-d architecture specification. Layouts only.
//
// The condition names beside the scalable-mode codes (SRT.2, SPT.4, ...) follow the specification's tables in
// order; only some of them could be checked against a second source. Codes 0x88 and 0x89 exist but their
// meaning is not known to us, so they are not listed. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// "Fault Reason Encodings".
namespace fault_reason {
inline constexpr unsigned none = 0x00;

// Legacy mode DMA.
inline constexpr unsigned legacy_root_not_present = 0x01;          ///< LRT.2
inline constexpr unsigned legacy_context_not_present = 0x02;       ///< LCT.2
inline constexpr unsigned legacy_invalid_context = 0x03;           ///< LCT.4: AW, TT; top table not readable
inline constexpr unsigned legacy_address_beyond_width = 0x04;      ///< LGN.1
inline constexpr unsigned legacy_write_permission = 0x05;          ///< LGN.2; also R = W = 0
inline constexpr unsigned legacy_read_permission = 0x06;           ///< LGN.3; also R = W = 0
inline constexpr unsigned legacy_paging_entry_access = 0x07;       ///< LSL.1
inline constexpr unsigned legacy_root_access = 0x08;               ///< LRT.1
inline constexpr unsigned legacy_context_access = 0x09;            ///< LCT.1
inline constexpr unsigned legacy_root_reserved = 0x0A;             ///< LRT.3
inline constexpr unsigned legacy_context_reserved = 0x0B;          ///< LCT.3
inline constexpr unsigned legacy_paging_entry_reserved = 0x0C;     ///< LSL.2
inline constexpr unsigned legacy_request_blocked = 0x0D;           ///< LCT.5
inline constexpr unsigned legacy_output_in_interrupt_range = 0x0E; ///< LGN.4

// Interrupt remapping.
inline constexpr unsigned ir_request_reserved = 0x20;
inline constexpr unsigned ir_index_beyond_table = 0x21;
inline constexpr unsigned ir_entry_not_present = 0x22;
inline constexpr unsigned ir_table_access = 0x23;
inline constexpr unsigned ir_entry_reserved = 0x24;
inline constexpr unsigned ir_compatibility_blocked = 0x25;
inline constexpr unsigned ir_source_id = 0x26;
inline constexpr unsigned ir_posted_descriptor_access = 0x27;
inline constexpr unsigned ir_posted_descriptor_reserved = 0x28;
inline constexpr unsigned ir_invalid_request = 0x29; ///< no legal DWORD write; from one secondary source

// Scalable mode DMA.
inline constexpr unsigned sm_root_table_address = 0x30;           ///< RTA.1; TTM reserved or unsupported
inline constexpr unsigned sm_legacy_request_with_pasid = 0x31;    ///< RTA.2
inline constexpr unsigned sm_legacy_page_request = 0x32;          ///< RTA.3
inline constexpr unsigned sm_abort_mode = 0x33;                   ///< RTA.4
inline constexpr unsigned sm_root_access = 0x38;                  ///< SRT.1
inline constexpr unsigned sm_root_not_present = 0x39;             ///< SRT.2
inline constexpr unsigned sm_root_reserved = 0x3A;                ///< SRT.3
inline constexpr unsigned sm_context_access = 0x40;               ///< SCT.1
inline constexpr unsigned sm_context_not_present = 0x41;          ///< SCT.2
inline constexpr unsigned sm_context_reserved = 0x42;             ///< SCT.3
inline constexpr unsigned sm_invalid_context = 0x43;              ///< SCT.4
inline constexpr unsigned sm_device_tlb_disabled = 0x44;          ///< SCT.5
inline constexpr unsigned sm_pasid_disabled = 0x45;               ///< SCT.6
inline constexpr unsigned sm_pasid_beyond_directory = 0x46;       ///< SCT.7
inline constexpr unsigned sm_page_request_disabled = 0x47;        ///< SCT.8
inline constexpr unsigned sm_rid_pasid = 0x48;                    ///< SCT.9
inline constexpr unsigned sm_pasid_directory_access = 0x50;       ///< SPD.1
inline constexpr unsigned sm_pasid_directory_not_present = 0x51;  ///< SPD.2
inline constexpr unsigned sm_pasid_directory_reserved = 0x52;     ///< SPD.3
inline constexpr unsigned sm_pasid_entry_access = 0x58;           ///< SPT.1
inline constexpr unsigned sm_pasid_entry_not_present = 0x59;      ///< SPT.2
inline constexpr unsigned sm_pasid_entry_reserved = 0x5A;         ///< SPT.3
inline constexpr unsigned sm_invalid_pasid_entry = 0x5B;          ///< SPT.4: PGTT, AW, FLPM
inline constexpr unsigned sm_execute_disabled = 0x5C;             ///< SPT.5
inline constexpr unsigned sm_supervisor_disabled = 0x5D;          ///< SPT.6
inline constexpr unsigned sm_first_stage_access = 0x70;           ///< SFL.1
inline constexpr unsigned sm_first_stage_not_present = 0x71;      ///< SFL.2
inline constexpr unsigned sm_first_stage_reserved = 0x72;         ///< SFL.3
inline constexpr unsigned sm_first_stage_top_access = 0x73;       ///< SFL.4: FLPTPTR
inline constexpr unsigned sm_nested_entry_beyond_width = 0x74;    ///< SFL.5
inline constexpr unsigned sm_nested_top_read_permission = 0x75;   ///< SFL.6
inline constexpr unsigned sm_nested_read_permission = 0x76;       ///< SFL.7
inline constexpr unsigned sm_nested_write_permission = 0x77;      ///< SFL.8: update of A or D
inline constexpr unsigned sm_second_stage_access = 0x78;          ///< SSL.1
inline constexpr unsigned sm_second_stage_not_present = 0x79;     ///< SSL.2
inline constexpr unsigned sm_second_stage_reserved = 0x7A;        ///< SSL.3
inline constexpr unsigned sm_second_stage_top_access = 0x7B;      ///< SSL.4: SLPTPTR
inline constexpr unsigned sm_second_stage_no_snoop_update = 0x7C; ///< SSL.5
inline constexpr unsigned sm_second_stage_update = 0x7D;          ///< SSL.6
inline constexpr unsigned sm_not_canonical = 0x80;                ///< SGN.1
inline constexpr unsigned sm_user_privilege = 0x81;               ///< SGN.2
inline constexpr unsigned sm_execute_permission = 0x82;           ///< SGN.3
inline constexpr unsigned sm_address_beyond_hardware = 0x83;      ///< SGN.4
inline constexpr unsigned sm_address_beyond_width = 0x84;         ///< SGN.5
inline constexpr unsigned sm_write_permission = 0x85;             ///< SGN.6
inline constexpr unsigned sm_read_permission = 0x86;              ///< SGN.7
inline constexpr unsigned sm_output_in_interrupt_range = 0x87;    ///< SGN.8
inline constexpr unsigned sm_first_stage_no_snoop_update = 0x90;  ///< SFL.9
inline constexpr unsigned sm_first_stage_update = 0x91;           ///< SFL.10
} // namespace fault_reason

/// Code and meaning of a fault reason, as in "0x05 no write permission"; "reserved" for a code that has none.
constexpr const char* fault_name(unsigned code) {
    switch (code) {
    case fault_reason::legacy_root_not_present:
        return "0x01 root entry not present";
    case fault_reason::legacy_context_not_present:
        return "0x02 context entry not present";
    case fault_reason::legacy_invalid_context:
        return "0x03 invalid context entry";
    case fault_reason::legacy_address_beyond_width:
        return "0x04 input address beyond MGAW or AGAW";
    case fault_reason::legacy_write_permission:
        return "0x05 no write permission";
    case fault_reason::legacy_read_permission:
        return "0x06 no read permission";
    case fault_reason::legacy_paging_entry_access:
        return "0x07 paging entry access error";
    case fault_reason::legacy_root_access:
        return "0x08 root entry access error";
    case fault_reason::legacy_context_access:
        return "0x09 context entry access error";
    case fault_reason::legacy_root_reserved:
        return "0x0A root entry reserved bit";
    case fault_reason::legacy_context_reserved:
        return "0x0B context entry reserved bit";
    case fault_reason::legacy_paging_entry_reserved:
        return "0x0C paging entry reserved bit";
    case fault_reason::legacy_request_blocked:
        return "0x0D translation or translated request blocked";
    case fault_reason::legacy_output_in_interrupt_range:
        return "0x0E output address in the interrupt range";
    case fault_reason::ir_request_reserved:
        return "0x20 interrupt request reserved field";
    case fault_reason::ir_index_beyond_table:
        return "0x21 interrupt index beyond the table";
    case fault_reason::ir_entry_not_present:
        return "0x22 IRTE not present";
    case fault_reason::ir_table_access:
        return "0x23 IRTE access error";
    case fault_reason::ir_entry_reserved:
        return "0x24 IRTE reserved field";
    case fault_reason::ir_compatibility_blocked:
        return "0x25 compatibility format interrupt blocked";
    case fault_reason::ir_source_id:
        return "0x26 IRTE source-id verification failed";
    case fault_reason::ir_posted_descriptor_access:
        return "0x27 posted-interrupt descriptor access error";
    case fault_reason::ir_posted_descriptor_reserved:
        return "0x28 posted-interrupt descriptor reserved field";
    case fault_reason::ir_invalid_request:
        return "0x29 invalid interrupt request";
    case fault_reason::sm_root_table_address:
        return "0x30 invalid root table address or mode";
    case fault_reason::sm_legacy_request_with_pasid:
        return "0x31 request with PASID in legacy mode";
    case fault_reason::sm_legacy_page_request:
        return "0x32 page request in legacy mode";
    case fault_reason::sm_abort_mode:
        return "0x33 abort DMA mode";
    case fault_reason::sm_root_access:
        return "0x38 scalable root entry access error";
    case fault_reason::sm_root_not_present:
        return "0x39 scalable root entry not present";
    case fault_reason::sm_root_reserved:
        return "0x3A scalable root entry reserved bit";
    case fault_reason::sm_context_access:
        return "0x40 scalable context entry access error";
    case fault_reason::sm_context_not_present:
        return "0x41 scalable context entry not present";
    case fault_reason::sm_context_reserved:
        return "0x42 scalable context entry reserved bit";
    case fault_reason::sm_invalid_context:
        return "0x43 invalid scalable context entry";
    case fault_reason::sm_device_tlb_disabled:
        return "0x44 translation or translated request with DTE clear";
    case fault_reason::sm_pasid_disabled:
        return "0x45 request with PASID with PASIDE clear";
    case fault_reason::sm_pasid_beyond_directory:
        return "0x46 PASID beyond the directory";
    case fault_reason::sm_page_request_disabled:
        return "0x47 page request with PRE clear";
    case fault_reason::sm_rid_pasid:
        return "0x48 unusable RID_PASID";
    case fault_reason::sm_pasid_directory_access:
        return "0x50 PASID directory entry access error";
    case fault_reason::sm_pasid_directory_not_present:
        return "0x51 PASID directory entry not present";
    case fault_reason::sm_pasid_directory_reserved:
        return "0x52 PASID directory entry reserved bit";
    case fault_reason::sm_pasid_entry_access:
        return "0x58 PASID entry access error";
    case fault_reason::sm_pasid_entry_not_present:
        return "0x59 PASID entry not present";
    case fault_reason::sm_pasid_entry_reserved:
        return "0x5A PASID entry reserved bit";
    case fault_reason::sm_invalid_pasid_entry:
        return "0x5B invalid PASID entry";
    case fault_reason::sm_execute_disabled:
        return "0x5C execute request with ERE clear";
    case fault_reason::sm_supervisor_disabled:
        return "0x5D supervisor request with SRE clear";
    case fault_reason::sm_first_stage_access:
        return "0x70 first-stage entry access error";
    case fault_reason::sm_first_stage_not_present:
        return "0x71 first-stage entry not present";
    case fault_reason::sm_first_stage_reserved:
        return "0x72 first-stage entry reserved bit";
    case fault_reason::sm_first_stage_top_access:
        return "0x73 first-stage top table access error";
    case fault_reason::sm_nested_entry_beyond_width:
        return "0x74 first-stage entry address beyond the second-stage width";
    case fault_reason::sm_nested_top_read_permission:
        return "0x75 no second-stage read permission on the first-stage top table";
    case fault_reason::sm_nested_read_permission:
        return "0x76 no second-stage read permission on a first-stage table";
    case fault_reason::sm_nested_write_permission:
        return "0x77 no second-stage write permission on a first-stage table";
    case fault_reason::sm_second_stage_access:
        return "0x78 second-stage entry access error";
    case fault_reason::sm_second_stage_not_present:
        return "0x79 second-stage entry not present";
    case fault_reason::sm_second_stage_reserved:
        return "0x7A second-stage entry reserved bit";
    case fault_reason::sm_second_stage_top_access:
        return "0x7B second-stage top table access error";
    case fault_reason::sm_second_stage_no_snoop_update:
        return "0x7C second-stage A/D update by a walk that does not snoop";
    case fault_reason::sm_second_stage_update:
        return "0x7D second-stage A/D update failed";
    case fault_reason::sm_not_canonical:
        return "0x80 input address not canonical";
    case fault_reason::sm_user_privilege:
        return "0x81 user request to a supervisor page";
    case fault_reason::sm_execute_permission:
        return "0x82 no execute permission";
    case fault_reason::sm_address_beyond_hardware:
        return "0x83 input address beyond the hardware width";
    case fault_reason::sm_address_beyond_width:
        return "0x84 input address beyond MGAW or AGAW";
    case fault_reason::sm_write_permission:
        return "0x85 no write permission";
    case fault_reason::sm_read_permission:
        return "0x86 no read permission";
    case fault_reason::sm_output_in_interrupt_range:
        return "0x87 output address in the interrupt range";
    case fault_reason::sm_first_stage_no_snoop_update:
        return "0x90 first-stage A/D update by a walk that does not snoop";
    case fault_reason::sm_first_stage_update:
        return "0x91 first-stage A/D update failed";
    default:
        return "reserved";
    }
}

/// Whether Fault Processing Disable (FPD) in the entry used suppresses the recording of this fault. Known for
/// legacy mode and interrupts; for scalable mode by analogy: everything from the context entry's content on.
constexpr bool fault_is_qualified(unsigned code) {
    switch (code) {
    case fault_reason::legacy_root_not_present:
    case fault_reason::legacy_root_access:
    case fault_reason::legacy_context_access:
    case fault_reason::legacy_root_reserved:
    case fault_reason::ir_request_reserved:
    case fault_reason::ir_index_beyond_table:
    case fault_reason::ir_table_access:
    case fault_reason::ir_compatibility_blocked:
    case fault_reason::ir_invalid_request:
    case fault_reason::sm_root_table_address:
    case fault_reason::sm_legacy_request_with_pasid:
    case fault_reason::sm_legacy_page_request:
    case fault_reason::sm_abort_mode:
    case fault_reason::sm_root_access:
    case fault_reason::sm_root_not_present:
    case fault_reason::sm_root_reserved:
    case fault_reason::sm_context_access:
    case fault_reason::sm_pasid_directory_access:
    case fault_reason::sm_pasid_entry_access:
        return false;
    default:
        return code != fault_reason::none;
    }
}

/// "Fault Recording Registers": the layout of one record of 128 bits.
namespace fault_record {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field fi = bits(63, 12);              ///< DMA faults, in place: the page address
inline constexpr Field interrupt_index = bits(63, 48); ///< interrupt faults
inline constexpr Field sid = bits(79, 64);
inline constexpr Field t2 = bit(92);
inline constexpr Field priv = bit(93);
inline constexpr Field exe = bit(94);
inline constexpr Field pp = bit(95); ///< the request itself had a PASID
inline constexpr Field fr = bits(103, 96);
inline constexpr Field pv = bits(123, 104); ///< PASID, with PP
inline constexpr Field at = bits(125, 124); ///< address type; ECAP.DT
inline constexpr Field t1 = bit(126);
inline constexpr Field f = bit(127); ///< fault

// Request type, as T2 and T1.
inline constexpr unsigned type_write = 0;
inline constexpr unsigned type_read = 1;
inline constexpr unsigned type_page_request = 2;
inline constexpr unsigned type_atomic = 3;
} // namespace fault_record

/// Address type (AT) of a PCIe request.
namespace address_type {
inline constexpr unsigned untranslated = 0;
inline constexpr unsigned translation_request = 1;
inline constexpr unsigned translated = 2;
} // namespace address_type

} // namespace iommusim::vtd::spec
