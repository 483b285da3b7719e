import { text } from "../text";
import { Online, Status } from "./facts";

interface Props {
  device: { is_online: boolean; last_seen_at: string | null; is_revoked: boolean };
}

export function DeviceStatus({ device }: Props) {
  return device.is_revoked ? <Status isGood={false} isBad words={text.clients.revoked} /> : <Online row={device} />;
}
