// Memory and device registers as a CPU accesses them over its bus socket.
#include "drivers/machine/cpu.h"
#include "drivers/machine/machine.h"

#include "models/base/activity.h"
#include "models/base/bits.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace iommusim::machine {

namespace {
constexpr std::size_t line_bytes = 64;
constexpr std::size_t most_regions = 16;

/// memcpy of 1 to 8 bytes; the usual sizes without a call.
void copy_word(void* to, const void* from, unsigned bytes) {
    switch (bytes) {
    case 8:
        std::memcpy(to, from, 8);
        break;
    case 4:
        std::memcpy(to, from, 4);
        break;
    default:
        std::memcpy(to, from, bytes);
    }
}

std::uint64_t lines(std::uint64_t address, std::size_t bytes) {
    return bytes == 0 ? 0 : (address + bytes - 1) / line_bytes - address / line_bytes + 1;
}
} // namespace

// ---- direct memory

unsigned char* Cpu::request_direct(std::uint64_t address, std::size_t bytes) {
    const std::uint64_t last = address + (bytes - 1);
    if (last < address)
        return nullptr;
    for (std::size_t i = 0; i < regions_.size(); ++i)
        if (address >= regions_[i].first && last <= regions_[i].last) {
            last_region_ = i;
            return direct(address, bytes);
        }
    prepare(tlm::TLM_WRITE_COMMAND, address, nullptr, bytes);
    tlm::tlm_dmi dmi;
    Region region{};
    if (bus->get_direct_mem_ptr(payload_, dmi) && dmi.is_read_write_allowed() &&
        dmi.get_start_address() <= address && dmi.get_end_address() >= last)
        region = {dmi.get_start_address(), dmi.get_end_address(), dmi.get_dmi_ptr()};
    else if (align_down(address, PageAllocator::page_size) == align_down(last, PageAllocator::page_size))
        // Refused. Targets rarely say for how much, so this page only.
        region = {align_down(address, PageAllocator::page_size),
                  align_down(address, PageAllocator::page_size) + PageAllocator::page_size - 1, nullptr};
    else
        return nullptr;
    if (regions_.size() < most_regions) {
        last_region_ = regions_.size();
        regions_.push_back(region);
    } else {
        last_region_ = next_region_;
        next_region_ = (next_region_ + 1) % most_regions;
        regions_[last_region_] = region;
    }
    return direct(address, bytes);
}

void Cpu::invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) {
    for (Region& region : regions_)
        if (region.first <= last && region.last >= first)
            region = {1, 0, nullptr};
}

// ---- transactions

void Cpu::prepare(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes) {
    payload_.set_command(command);
    payload_.set_address(address);
    payload_.set_data_ptr(static_cast<unsigned char*>(data));
    payload_.set_data_length(static_cast<unsigned>(bytes));
    payload_.set_streaming_width(static_cast<unsigned>(bytes));
    payload_.set_byte_enable_ptr(nullptr);
    payload_.set_byte_enable_length(0);
    payload_.set_dmi_allowed(false);
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
}

bool Cpu::transport(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes,
                    Picoseconds& delay) {
    prepare(command, address, data, bytes);
    sc_core::sc_time annotated = to_sc_time(delay);
    bus->b_transport(payload_, annotated);
    ++kernel_activity; // whatever the target has set in motion
    delay = to_picoseconds(annotated);
    if (payload_.is_response_ok())
        return true;
    ++bus_errors_;
    if (command == tlm::TLM_READ_COMMAND)
        std::memset(data, 0xff, bytes);
    char text[96];
    std::snprintf(text, sizeof text, "%s of %zu bytes at %#llx: %s",
                  command == tlm::TLM_READ_COMMAND ? "read" : "write", bytes,
                  static_cast<unsigned long long>(address), payload_.get_response_string().c_str());
    SC_REPORT_WARNING(name(), text);
    return false;
}

tlm::tlm_sync_enum Cpu::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
    SC_REPORT_WARNING(name(), "non-blocking response to a CPU, which only issues blocking transactions");
    return tlm::TLM_COMPLETED;
}

// ---- memory

/// A memory access where direct access is not granted.
void Cpu::transfer(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes) {
    Picoseconds delay = time() - kernel_time();
    transport(command, address, data, bytes, delay);
    advance_to(kernel_time() + delay);
}

std::uint64_t Cpu::load_in_any_way(std::uint64_t address, unsigned bytes) {
    std::uint64_t value = 0;
    bytes = std::clamp(bytes, 1u, 8u);
    if (const unsigned char* memory = direct(address, bytes))
        copy_word(&value, memory, bytes);
    else
        transfer(tlm::TLM_READ_COMMAND, address, &value, bytes);
    local_ += parameters_.cached_access;
    return value;
}

void Cpu::store(std::uint64_t address, std::uint64_t value, unsigned bytes) {
    bound_lead();
    bytes = std::clamp(bytes, 1u, 8u);
    if (unsigned char* memory = direct(address, bytes))
        copy_word(memory, &value, bytes);
    else
        transfer(tlm::TLM_WRITE_COMMAND, address, &value, bytes);
    machine_.stored(address, bytes, *this);
    local_ += parameters_.cached_access;
}

void Cpu::read(std::uint64_t address, void* data, std::size_t bytes) {
    if (bytes == 0)
        return;
    bound_lead();
    if (const unsigned char* memory = direct(address, bytes))
        std::memcpy(data, memory, bytes);
    else
        transfer(tlm::TLM_READ_COMMAND, address, data, bytes);
    local_ += lines(address, bytes) * parameters_.cached_access;
}

void Cpu::write(std::uint64_t address, const void* data, std::size_t bytes) {
    if (bytes == 0)
        return;
    bound_lead();
    if (unsigned char* memory = direct(address, bytes))
        std::memcpy(memory, data, bytes);
    else
        transfer(tlm::TLM_WRITE_COMMAND, address, const_cast<void*>(data), bytes);
    machine_.stored(address, bytes, *this);
    local_ += lines(address, bytes) * parameters_.cached_access;
}

void Cpu::fill(std::uint64_t address, std::uint8_t value, std::size_t bytes) {
    if (bytes == 0)
        return;
    bound_lead();
    if (unsigned char* memory = direct(address, bytes)) {
        std::memset(memory, value, bytes);
        machine_.stored(address, bytes, *this);
        local_ += lines(address, bytes) * parameters_.cached_access;
        return;
    }
    std::vector<unsigned char> block(std::min(bytes, PageAllocator::page_size), value);
    for (std::size_t done = 0; done < bytes; done += block.size())
        write(address + done, block.data(), std::min(bytes - done, block.size()));
}

void Cpu::clean_lines(std::uint64_t address, std::size_t bytes) {
    local_ += lines(address, bytes) * parameters_.clflush;
}

std::uint64_t Cpu::peek(std::uint64_t address, unsigned bytes) {
    std::uint64_t value = 0;
    if (const unsigned char* memory = direct(address, bytes)) {
        copy_word(&value, memory, bytes);
    } else {
        prepare(tlm::TLM_READ_COMMAND, address, &value, bytes);
        bus->transport_dbg(payload_);
    }
    return value;
}

std::uint64_t Cpu::allocate_pages(std::size_t count, std::uint64_t alignment) {
    const std::uint64_t address = machine_.pages().allocate(count, alignment);
    if (address == PageAllocator::none)
        return address;
    const Picoseconds start = time();
    fill(address, 0, count * PageAllocator::page_size);
    advance_to(start + count * parameters_.page_allocation); // includes the clearing
    return address;
}

void Cpu::free_pages(std::uint64_t address, std::size_t count) {
    if (!machine_.pages().free(address, count))
        SC_REPORT_WARNING(name(), "software frees pages that it has not allocated");
    local_ += 4 * parameters_.cached_access;
}

// ---- device registers

std::uint64_t Cpu::mmio_read(std::uint64_t address, unsigned bytes) {
    synchronize();
    const Picoseconds start = local_;
    // Half a round trip out, half back; behind this CPU's posted writes.
    advance_to(std::max(start + parameters_.mmio_read / 2, last_write_arrival_ + 1));
    wait_for_local_time();
    std::uint64_t value = 0;
    Picoseconds delay = 0;
    transport(tlm::TLM_READ_COMMAND, address, &value, std::min<std::size_t>(bytes, sizeof value), delay);
    advance_to(kernel_time() + delay);
    spend(parameters_.mmio_read - parameters_.mmio_read / 2);
    return value;
}

void Cpu::mmio_write(std::uint64_t address, std::uint64_t value, unsigned bytes) {
    synchronize();
    // What the write causes must not come before its arrival: the target is told by the annotated delay.
    // Nothing else happens before local time, so the kernel's time may lag behind it.
    last_write_arrival_ = std::max(local_ + parameters_.mmio_write_arrival, last_write_arrival_);
    Picoseconds delay = last_write_arrival_ - kernel_time();
    transport(tlm::TLM_WRITE_COMMAND, address, &value, std::min<std::size_t>(bytes, sizeof value), delay);
    advance_to(kernel_time()); // unless the target waited, it is posted: the delay is not the CPU's
    spend(parameters_.mmio_write);
}

} // namespace iommusim::machine
