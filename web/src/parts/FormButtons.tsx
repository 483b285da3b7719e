import { Button, Group } from "@mantine/core";
import { text } from "../text";

interface Props {
  isNew: boolean;
  isBusy: boolean;
  onCancel: () => void;
}

export function FormButtons({ isNew, isBusy, onCancel }: Props) {
  return (
    <Group justify="flex-end" mt="lg">
      <Button variant="default" onClick={onCancel}>
        {text.common.cancel}
      </Button>
      <Button type="submit" loading={isBusy}>
        {isNew ? text.common.create : text.common.save}
      </Button>
    </Group>
  );
}
